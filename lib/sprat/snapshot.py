"""The state of a learner: what has to be put back for training to go on as if nothing had been.

`unchanged` keeps it for the length of a ``with``; a `Checkpoint` writes it to a file.
"""

import copy
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

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


@contextmanager
def unchanged(learn: "Learner") -> Iterator[None]:
    """Put weights, optimisers, phases, mode and random numbers back at the end of the ``with``."""
    training, moves = learn.model.training, learn.moves
    weights = copy.deepcopy(learn.model.state_dict())
    optimizers = {n: copy.deepcopy(o.state_dict()) for n, o in learn.optimizers.items()}
    scaler, place = copy.deepcopy(learn.scaler.state_dict()), random_state(learn)
    phases = {n: copy.deepcopy(p.state_dict()) for n, p in numbered(list(learn.phases)).items()}
    try:
        yield
    finally:
        learn.model.train(training)
        learn.model.load_state_dict(weights)
        for name, state in optimizers.items():
            learn.optimizers[name].load_state_dict(state)
            learn.optimizers[name].zero_grad(set_to_none=True)
        learn.scaler.load_state_dict(scaler)
        learn.moves = moves
        for name, phase in numbered(list(learn.phases)).items():
            phase.load_state_dict(phases[name], learn)
        set_random_state(learn, place)
