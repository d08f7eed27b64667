"""A dry run says what a step takes and costs, and leaves everything as it was."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import TaskError, TrainingError


def task(pictures: sp.Data) -> sp.Task:
    return sp.Task(sp.Image(channels=1, size=(9, 9)), sp.Label(pictures.classes))


@pytest.fixture
def sized(pictures: sp.Data) -> sp.Learner:
    torch.manual_seed(0)
    return sp.Learner(
        task(pictures), (pictures[:72], pictures[72:]), batch_size=16, device="cpu",
        model=nn.Sequential(nn.Flatten(), nn.Linear(81, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)),
        generator=torch.Generator().manual_seed(2),
    )  # fmt: skip


def test_shapes_and_parameters(sized: sp.Learner) -> None:
    found = sized.dry_run()
    assert found.values == {
        "x": "float32 (16, 1, 9, 9)", "y": "int64 (16,)",
        "train loss": "float32 ()", "train y_hat": "float32 (16, 3)",
        "valid loss": "float32 ()", "valid y_hat": "float32 (16, 3)",
    }  # fmt: skip
    assert found.parameters == found.trainable == 82 * 8 + 16 + 27
    assert sized.dry_run(batch_size=5).values["x"] == "float32 (5, 1, 9, 9)"


def test_memory(sized: sp.Learner) -> None:
    memory = sized.dry_run().memory
    weights = 4 * (82 * 8 + 16 + 27)
    buffers = 4 * 16 + 8
    assert memory["weights"] == weights + buffers
    assert memory["gradients"] == weights
    assert memory["optimiser"] == 2 * weights + 4 * 6  # two moments, and a step count a tensor
    assert memory["activations"] >= 4 * 16 * (81 + 8)  # what the two linear layers were given
    assert memory["activations"] < sized.dry_run(batch_size=64).memory["activations"]


def test_the_table_is_for_people(sized: sp.Learner) -> None:
    text = repr(sized.dry_run())
    for part in ("float32 (16, 1, 9, 9)", "699, of which 699 learn", "activations", "MB"):
        assert part in text


def test_frozen_weights_are_told_apart(sized: sp.Learner) -> None:
    sized.freeze()
    found = sized.dry_run()
    assert (found.parameters, found.trainable) == (699, 27)
    assert found.memory["gradients"] == 4 * 27


def test_everything_is_left_as_it_was(sized: sp.Learner) -> None:
    def everything() -> list[Any]:
        model = copy.deepcopy(sized.model.state_dict())
        optimizers = [o.state_dict()["state"] for o in sized.optimizers.values()]
        random = torch.get_rng_state(), sized.generator.get_state()  # type: ignore[union-attr]
        return [str(model), str(optimizers), *(r.tolist() for r in random), sized.moves,
                len(sized.history), sized.model.training]  # fmt: skip

    sized.fit(1)
    before = everything()
    sized.dry_run()
    assert everything() == before


def test_training_goes_on_as_if_nobody_had_looked(pictures: sp.Data) -> None:
    def losses(look: bool) -> list[float]:
        torch.manual_seed(1)
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(81, 3))
        learn = sp.Learner(task(pictures), (pictures,), model=model, device="cpu")
        if look:
            learn.dry_run()
        return learn.fit(2).losses

    assert losses(look=True) == losses(look=False)


def test_a_mistake_is_named_without_any_data_being_read(pictures: sp.Data) -> None:
    learn = sp.Learner(task(pictures), (pictures,), model=sp.models.MLP(80, 3), device="cpu")
    with pytest.raises(TrainingError, match="MLP can't take inputs of float32"):
        learn.dry_run()


def test_a_plain_module_has_no_mock_data() -> None:
    learn = sp.Learner(nn.Linear(1, 1), ([],), loss=F.mse_loss, device="cpu")
    with pytest.raises(TaskError, match="made from a plain module"):
        learn.dry_run()
