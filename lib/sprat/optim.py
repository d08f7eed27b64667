"""What an optimiser does in a step, and learning rates that differ from part to part of a model.

A learner has one learning rate, `Learner.lr`. Each parameter group of its optimisers gets a share
of it: the ratio at which the groups were made, times its ``lr_factor`` where it has one. A schedule
moves the one rate, so the groups keep their ratio. `spread_lr` gives the first parts of a model
small factors and the last part 1: what the first layers learnt elsewhere is worth keeping, and what
the last ones do is new (Howard and Ruder, "Universal Language Model Fine-tuning for Text
Classification", 2018, section 3.2, https://arxiv.org/abs/1801.06146).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sprat import weights
from sprat.errors import TaskError
from sprat.given import check_optimizer_made
from sprat.weights import Given

if TYPE_CHECKING:
    from sprat.learner import LR, Learner

#: How the weights are moved down a loss: ``(learn, loss, optimizer)``; see `descend`.
Descend = Callable[["Learner", Tensor, torch.optim.Optimizer], None]


def descend(learn: "Learner", loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """One step down: new gradients, then one move of the weights.

    `Learner.descend` is this function, unless a callback puts another in its place for a fit.

    Args:
        learn: whose weights they are.
        loss: a tensor with no axes.
        optimizer: what moves its weights.
    """
    if not learn.cleared:  # the second move in one step, or a step outside of a fit
        optimizer.zero_grad(set_to_none=True)
    learn.cleared = False
    if learn.scaler.is_enabled():
        loss = learn.scaler.scale(loss)
    loss.backward()
    move(learn, optimizer)


def make_room(learn: "Learner") -> None:
    """Drop what the step before left, outputs and gradients, so that this one can use its memory.

    Dropped before the forward pass, the gradients cost a small model some 10 µs a step less than
    dropped after it, and none of them is in memory while the outputs are.
    """
    learn.state = {}
    # Another way to descend knows itself how long it needs them.
    if learn.phase.trains and learn.descend is descend:
        for optimizer in learn.optimizers.values():
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    weight.grad = None
        learn.cleared = True


def move(learn: "Learner", optimizer: torch.optim.Optimizer) -> None:
    """Let callbacks see the gradients, then move the weights along them."""
    if learn.group is not None:
        learn.group.average(optimizer)
    scaler = learn.scaler
    if not scaler.is_enabled():
        learn.emit("backward_end")
        optimizer.step()
    else:
        if learn.hears("backward_end"):
            scaler.unscale_(optimizer)
            learn.emit("backward_end")
        scaler.step(optimizer)
        scaler.update()
    if learn.precision is not None:
        # Autocast keeps its low-precision copies of the weights; these are now of the old ones.
        torch.clear_autocast_cache()
    learn.moves += 1


def given(
    optimizer: Callable[..., torch.optim.Optimizer] | Mapping[str, torch.optim.Optimizer],
    model: nn.Module,
) -> tuple[Callable[..., torch.optim.Optimizer], dict[str, torch.optim.Optimizer]]:
    """What makes the optimiser at the first fit, and those that are there already, by name."""
    if isinstance(optimizer, Mapping) and optimizer:
        return Given(optimizer, model), dict(optimizer)
    return (torch.optim.AdamW if isinstance(optimizer, Mapping) else optimizer), {}


def rate(optimizers: Mapping[str, torch.optim.Optimizer]) -> float:
    """The learning rate a step, of the first optimiser's last group; of none, the usual 1e-3."""
    first = next(iter(optimizers.values()), None)
    return 1e-3 if first is None else float(first.param_groups[-1]["lr"])


def prepare(learn: "Learner", lr: "LR | None") -> None:
    """Make the learner's optimiser at its first fit, and set the learning rate.

    Args:
        learn: whose optimisers they are.
        lr: the learning rate a step; two of them are of the model's first part and of its last.

    Raises:
        TaskError: no weight of the model learns, the optimiser can't be made, or weights that learn
            are in none.
    """
    if not learn.optimizers:
        parameters = list(learn.model.parameters())
        if not any(p.requires_grad for p in parameters):
            raise TaskError(
                "The model has no weights to train.",
                fix="unfreeze some: learn.unfreeze(), or p.requires_grad_(True)",
            )
        # Frozen weights too: they have no gradient, so nothing moves them until they thaw.
        learn.optimizers["main"] = _made(learn, parameters)
    keep_up(learn)
    keep_ratios(learn.optimizers.values())
    if lr is not None:
        low, high = lr if isinstance(lr, tuple) else (lr, lr)
        model_parts = parts(learn.model) if low != high else []
        for optimizer in learn.optimizers.values():
            spread_lr(optimizer, model_parts, low / high if high else 1.0)
        learn.set_lr(high)


def keep_up(learn: "Learner") -> None:
    """Let the optimisers have the weights that the model has by now; see `sprat.weights`.

    Raises:
        TaskError: weights that learn are in no optimiser, and the learner can't put them there.
    """
    lr = learn.lr
    kept = [group for o in learn.optimizers.values() for group in o.param_groups]
    lowest = min((group.get("lr_factor", 1.0) for group in kept), default=1.0)
    optimizer = weights.keep_up(learn, lambda parameters: _made(learn, parameters))
    if optimizer is not None:
        learn.optimizers["main"] = optimizer
        keep_ratios([optimizer])
        spread_lr(optimizer, parts(learn.model), lowest)
        learn.set_lr(lr)


def _made(learn: "Learner", parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    try:
        made = learn.make_optimizer(parameters, lr=learn.base_lr)
    except TypeError as error:
        raise TaskError(
            f"The optimizer can't be made from weights and lr=: {error}.",
            fix="pass a class, or optimizer=lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)",
        ) from error
    check_optimizer_made(made)
    return made


def parts(model: nn.Module) -> list[list[nn.Parameter]]:
    """The weights of a model, part by part from input to output; every weight once.

    A model says what its parts are by a method ``groups()``, which lists modules, parameters or
    lists of them. For other models they are its children, in the order in which they were made.
    Weights that stand in no part come first, with the input.

    Raises:
        TaskError: ``groups()`` gives something else.
    """
    listed = getattr(model, "groups", None)
    found = [list(_weights(part)) for part in (listed() if callable(listed) else _children(model))]
    seen: set[int] = set()
    unique = []
    for part in found:
        mine = [p for p in part if id(p) not in seen and not seen.add(id(p))]  # type: ignore[func-returns-value]
        if mine:
            unique.append(mine)
    rest = [p for p in model.parameters() if id(p) not in seen]
    if rest:
        unique.insert(0, rest)
    return unique


def _children(model: nn.Module) -> list[nn.Module]:
    """The children that have weights; of a wrapper around one module, that module's children."""
    children = [child for child in model.children() if any(True for _ in child.parameters())]
    own = any(True for _ in model.parameters(recurse=False))
    if len(children) == 1 and not own and any(True for _ in children[0].children()):
        return _children(children[0])
    return children


def _weights(part: Any) -> Iterator[nn.Parameter]:
    if isinstance(part, nn.Parameter):
        yield part
    elif isinstance(part, nn.Module):
        yield from part.parameters()
    elif isinstance(part, Iterable) and not isinstance(part, str):
        for inner in part:
            yield from _weights(inner)
    else:
        raise TaskError(
            f"The model's groups() lists {part!r}; modules or parameters were expected.",
            fix="return a list with one entry a part, such as [self.body, self.head]",
        )


def set_lr(optimizers: Iterable[torch.optim.Optimizer], lr: float) -> None:
    """Give every group its share of the learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_ratio", 1.0) * group.get("lr_factor", 1.0)


def keep_ratios(optimizers: Iterable[torch.optim.Optimizer]) -> None:
    """Note at what ratio groups were made, against the first optimiser's last; once a group."""
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    first = next(iter(optimizers), None)
    lr = float(first.param_groups[-1]["lr"]) if first is not None else 0.0
    for group in groups:
        if "lr_ratio" not in group:
            group["lr_ratio"] = float(group["lr"]) / lr if lr > 0 else 1.0


def spread_lr(
    optimizer: torch.optim.Optimizer, model_parts: list[list[nn.Parameter]], lowest: float
) -> None:
    """Let the learning rate grow by one factor from part to part, up to its full size in the last.

    The optimiser's groups are split so that each lies in one part; what it knows of a weight stays.

    Args:
        optimizer: whose groups are split.
        model_parts: what `parts` gives.
        lowest: the share of the learning rate that the first part gets; 1 for the same everywhere.
    """
    if lowest == 1.0:
        for group in optimizer.param_groups:
            group.pop("lr_factor", None)
        return
    where = {id(p): number for number, part in enumerate(model_parts) for p in part}
    last = len(model_parts) - 1
    groups = []
    for number in range(len(model_parts)):
        for group in optimizer.param_groups:
            mine = [p for p in group["params"] if where.get(id(p), last) == number]
            if mine:
                factor = lowest ** (1 - number / last) if last else 1.0
                groups.append({**group, "params": mine, "lr_factor": factor})
    optimizer.param_groups[:] = groups
