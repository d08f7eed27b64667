"""Every test of sprat runs with its signatures checked: shapes, dtypes and types at each call.

The hook has to be in place before anything of sprat is imported, so it is set at the top here.
"""

import io
import sys
import types
from collections.abc import Iterator
from typing import IO, TextIO

import hypothesis
import pytest
import torch
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import config, install_import_hook

_configuration = BeartypeConf(
    is_pep484_tower=True,  # where a float is asked for an int will do, as PEP 484 has it
    hint_overrides=FrozenDict(  # real files do not derive from typing's file types
        {IO[bytes]: io.BufferedIOBase, TextIO: io.TextIOBase}
    ),
)
_checker = types.ModuleType("sprat_typechecker")
_checker.check = beartype(conf=_configuration)  # type: ignore[attr-defined]
sys.modules[_checker.__name__] = _checker
install_import_hook("sprat", f"{_checker.__name__}.check")

# A slow machine is no failure, and equal runs draw equal examples.
hypothesis.settings.register_profile("sprat", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("sprat")

import sprat as sp  # noqa: E402 - after the hook
from sprat import access  # noqa: E402

#: Tests of callbacks and phases, in which nobody writes what it does not declare.
_CHECKED = ("test_callbacks", "test_phases", "test_augment", "test_loggers")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No progress bar, and the same random numbers for every test in any order."""
    monkeypatch.setenv("SPRAT_PROGRESS", "off")
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _check_access(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at what callbacks and phases write, in the tests that are about them."""
    monkeypatch.setattr(access, "always", request.path.stem.startswith(_CHECKED))


@pytest.fixture
def untyped() -> Iterator[None]:
    """Without the check of signatures, as a user has it: here wrong types reach our own checks."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def pictures() -> sp.Data:
    """96 small pictures of three kinds that a model can tell apart: where they are bright."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(96) % 3
    x = torch.randint(0, 80, (96, 1, 9, 9), generator=generator, dtype=torch.uint8)
    for kind in range(3):
        x[y == kind, :, 3 * kind : 3 * kind + 3] += 150
    return sp.Data(x, y, classes=("top", "middle", "bottom"), name="pictures")


@pytest.fixture
def task(pictures: sp.Data) -> sp.Task:
    return sp.Task(sp.Image(channels=1), sp.Label(pictures.classes))


@pytest.fixture
def learn(pictures: sp.Data, task: sp.Task) -> sp.Learner:
    """A small learner on the pictures, that has not learnt yet."""
    parts = pictures.split(valid=0.25, generator=torch.Generator().manual_seed(1))
    model = sp.models.MLP(81, 3, [8])
    generator = torch.Generator().manual_seed(2)
    return sp.Learner(
        task, parts, model=model, batch_size=16, lr=0.01, device="cpu", generator=generator
    )
