"""The state of a learner: what has to be put back for training to go on as if nothing had been.

`unchanged` keeps it for the length of a ``with``, `looking` as much of it as a look may change; a
`Checkpoint` writes it to a file.
"""

import copy
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sprat.ahead import Ahead

if TYPE_CHECKING:
    from sprat.learner import Learner


def numbered(parts: list[Any]) -> dict[str, Any]:
    """Parts by the name of their class; the second of a class is called ``Name 2``."""
    found: dict[str, Any] = {}
    for part in parts:
        name, count = type(part).__name__, 1
        while (name if count == 1 else f"{name} {count}") in found:
            count += 1
        found[name if count == 1 else f"{name} {count}"] = part
    return found


def generators(learn: "Learner") -> dict[str, torch.Generator]:
    """Every generator that a step may draw from, by where it was found.

    Looked through are the attributes of the learner, its loaders with their samplers and data sets,
    also where another works ahead of them, its phases, and the callbacks that listen.
    """
    owners: dict[str, Any] = {"learner": learn}
    for split, given in learn.loaders.items():
        loader = given.loader if isinstance(given, Ahead) else given
        owners[f"loader {split}"] = loader
        for name in ("sampler", "batch_sampler", "dataset"):
            owners[f"loader {split} {name}"] = getattr(loader, name, None)
    owners |= {f"phase {name}": part for name, part in numbered(list(learn.phases)).items()}
    owners |= {f"callback {name}": part for name, part in numbered(learn.heard).items()}
    return {
        f"{owner}.{name}": value
        for owner, part in owners.items()
        for name, value in getattr(part, "__dict__", {}).items()
        if isinstance(value, torch.Generator)
    }


def random_state(learn: "Learner") -> dict[str, Any]:
    """Where every source of random numbers stands: torch's, Python's, numpy's and generators."""
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda else [],
        "python": random.getstate(),
        "generators": {name: g.get_state() for name, g in generators(learn).items()},
    }
    if "numpy" in sys.modules:  # whoever has not imported it has drawn nothing from it
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        state["numpy"] = [kind, torch.from_numpy(keys.astype("int64")), *rest]
    return state


def set_random_state(learn: "Learner", state: dict[str, Any]) -> None:
    """Put every source of random numbers where `random_state` found it."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    random.setstate(state["python"])
    if "numpy" in state:
        import numpy

        kind, keys, *rest = state["numpy"]
        numpy.random.set_state((kind, keys.numpy().astype("uint32"), *rest))
    known = generators(learn)
    for name, place in state["generators"].items():
        if name in known:
            known[name].set_state(place)


def outline(learn: "Learner") -> dict[str, dict[str, Any]]:
    """What an exact way back into the middle of a training asks of loaders, by part of the data.

    Parts that are only measured are left out: nothing that is trained depends on them.
    """
    trained = {phase.split for phase in learn.phases if phase.trains}
    measured = {phase.split for phase in learn.phases} - trained
    found = {}
    for split, given in learn.loaders.items():
        loader = given.loader if isinstance(given, Ahead) else given
        if split not in measured:
            found[split] = {
                "batch size": _int(getattr(loader, "batch_size", None)),
                "number of samples": _count(
                    getattr(loader, "data", getattr(loader, "dataset", None))
                ),
                "number of batches": len(loader),
                "number of workers": _int(getattr(loader, "num_workers", 0)),
            }
    return found


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _count(data: Any) -> int | None:
    try:
        return len(data)
    except TypeError:  # a stream doesn't know
        return None


_PLACE = ("phase", "step", "batch", "state", "epoch", "epochs")


@contextmanager
def looking(learn: "Learner") -> Iterator[None]:
    """Put mode, place in the loop and random numbers back: for what looks and changes nothing."""
    modes = [(module, module.training) for module in learn.model.modules()]
    place = {name: getattr(learn, name) for name in _PLACE if hasattr(learn, name)}
    drawn = random_state(learn)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for name in _PLACE:
            if name in place:
                setattr(learn, name, place[name])
            elif hasattr(learn, name):
                delattr(learn, name)  # there was no phase yet
        set_random_state(learn, drawn)


@contextmanager
def unchanged(learn: "Learner") -> Iterator[None]:
    """Put back all that training changes, too: weights, statistics, optimisers, phases."""
    moves, networks = learn.moves, [learn.model]
    if isinstance(learn.loss_function, nn.Module):
        networks.append(learn.loss_function)
    weights = [copy.deepcopy(network.state_dict()) for network in networks]
    buffers = [(b, b.clone()) for network in networks for b in network.buffers()]
    optimizers = {n: copy.deepcopy(o.state_dict()) for n, o in learn.optimizers.items()}
    scaler = copy.deepcopy(learn.scaler.state_dict())
    phases = {n: copy.deepcopy(p.state_dict()) for n, p in numbered(list(learn.phases)).items()}
    with looking(learn):
        try:
            yield
        finally:
            for buffer, kept in buffers:  # some are in no state_dict
                if buffer.shape == kept.shape:
                    buffer.data.copy_(kept)
            for network, kept_weights in zip(networks, weights, strict=True):
                network.load_state_dict(kept_weights)
            for name, state in optimizers.items():
                learn.optimizers[name].load_state_dict(state)
                learn.optimizers[name].zero_grad(set_to_none=True)
            learn.scaler.load_state_dict(scaler)
            learn.moves = moves
            for name, phase in numbered(list(learn.phases)).items():
                phase.load_state_dict(phases[name], learn)
