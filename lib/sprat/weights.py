"""The weights that optimisers have, held to those that the model has by now.

A part of a model may be replaced when its optimiser has been made already: a new head, another
model, an embedding that was tied. An optimiser of the learner's own is made anew then, and what it
knows of the weights that stayed goes with them. Optimisers that were given are the user's, so
weights that none of them has are refused.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from sprat.device import place
from sprat.errors import TaskError

if TYPE_CHECKING:
    from sprat.learner import Learner

Optimizers = Mapping[str, torch.optim.Optimizer]


class Given:
    """In the place of what makes an optimiser, where the user has made them.

    Args:
        optimizers: these, by name.
        model: whose weights they move. Those that learn and that none of them has are left out by
            intention; of weights that come later that can't be said.
    """

    def __init__(self, optimizers: Optimizers, model: nn.Module) -> None:
        held = _held(optimizers)
        self.left_out = [p for p in model.parameters() if p.requires_grad and id(p) not in held]

    def __call__(self, parameters: Any, *, lr: float) -> NoReturn:
        """Refuse.

        Raises:
            TaskError: always.
        """
        raise TaskError("There is no optimiser.", fix='pass optimizer={"main": an_optimizer}')


def keep_up(
    learn: "Learner", make: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
) -> torch.optim.Optimizer | None:
    """Take in weights that the model has gained since its optimiser was made, and drop others.

    Args:
        learn: whose optimisers they are.
        make: makes an optimiser of the learner's kind.

    Returns:
        The optimiser that has taken the place of the old one; None where nothing has changed.

    Raises:
        TaskError: weights that learn are in no optimiser, and the learner can't put them there.
    """
    weights, held = list(learn.model.parameters()), _held(learn.optimizers)
    new = [p for p in weights if id(p) not in held]
    if isinstance(learn.make_optimizer, Given) or set(learn.optimizers) != {"main"}:
        _refuse_forgotten(learn, held)
    elif new or len(weights) != len(held):
        if learn.group is not None:
            raise TaskError(
                "Weights of the model were replaced, and other processes don't have the new ones.",
                fix="make a new Learner from the changed model, with the same distributed=",
            )
        learn.model = place(
            learn.model, learn.device, channels_last=learn.channels_last, compile=False
        )
        _refuse_strangers(learn, held | {id(p) for p in learn.model.parameters()})
        return _anew(learn.optimizers["main"], make(list(learn.model.parameters())))
    _refuse_strangers(learn, held)
    for optimizer in learn.optimizers.values():
        if not all(_fits(weight, state) for weight, state in optimizer.state.items()):
            optimizer.load_state_dict(optimizer.state_dict())  # casts what it knows to the weights
    return None


def _anew(old: torch.optim.Optimizer, new: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The new optimiser with what the old one knows of the weights that stayed."""
    for group in new.param_groups:
        mine = {id(p) for p in group["params"]}
        for before in old.param_groups:
            if mine & {id(p) for p in before["params"]}:
                own = ("params", "lr", "lr_ratio", "lr_factor")
                group.update({name: v for name, v in before.items() if name not in own})
        for weight in group["params"]:
            if weight in old.state:
                new.state[weight] = old.state[weight]
    return new


def _held(optimizers: Optimizers) -> set[int]:
    groups = [group for optimizer in optimizers.values() for group in optimizer.param_groups]
    return {id(p) for group in groups for p in group["params"]}


def _fits(weight: Tensor, state: dict[str, Any]) -> bool:
    """Whether what an optimiser keeps of a weight is of its kind, where it has its shape."""
    alike = [v for v in state.values() if isinstance(v, Tensor) and v.shape == weight.shape]
    return all(v.device == weight.device for v in alike) and (
        not weight.ndim or all(v.dtype == weight.dtype for v in alike if v.is_floating_point())
    )


def _refuse_forgotten(learn: "Learner", held: set[int]) -> None:
    """Of optimisers that were given: weights that came, or thawed, since the learner was made."""
    make = learn.make_optimizer
    left_out = {id(p) for p in make.left_out} if isinstance(make, Given) else set()
    named = dict(learn.model.named_parameters())
    new = [n for n, p in named.items() if p.requires_grad and id(p) not in held | left_out]
    if new:
        raise TaskError(
            f"No optimiser has the weights {_some(new)}: they came, or were let learn, after the "
            "optimisers had been made.",
            fix="give them to one: learn.optimizers[name].add_param_group({'params': "
            "part.parameters()}), name among "
            f"{', '.join(map(repr, learn.optimizers))}; or part.requires_grad_(False), if they "
            "shall stay as they are",
        )


def _refuse_strangers(learn: "Learner", held: set[int]) -> None:
    """Weights of a loss or of a phase that would have gradients and never move."""
    for owner, module in _modules(learn):
        names = [n for n, p in module.named_parameters() if p.requires_grad and id(p) not in held]
        if names:
            raise TaskError(
                f"{owner} has weights that no optimiser has: {_some(names)}.",
                fix="pass optimizer={'main': torch.optim.AdamW([*model.parameters(), "
                "*those.parameters()])} to Learner; or those.requires_grad_(False), if they shall "
                "stay as they are",
            )


def _modules(learn: "Learner") -> Iterator[tuple[str, nn.Module]]:
    """The networks outside of the model that training may reach."""
    loss = learn.loss_function
    if isinstance(loss, nn.Module) and loss is not learn.model:
        yield f"The loss {type(loss).__name__}", loss
    for phase in learn.phases:
        for value in vars(phase).values():
            if isinstance(value, nn.Module):
                yield type(phase).__name__, value


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
