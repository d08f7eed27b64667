"""Every name in sprat.models: built from a task, run on its mock data, saved, loaded, the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp

M = sp.models
PICTURE = sp.ImageTensor(1, (16, 16))
LABEL = sp.Label(("no", "maybe", "yes"))
CLASSES = sp.Task(PICTURE, LABEL)
SAME = sp.Task(PICTURE, PICTURE, loss=nn.functional.mse_loss)
WORDS = sp.Task(sp.Tokens(13), sp.Tokens(13))
PAIRS = sp.TableRow({"user": tuple("abcdef"), "item": tuple("uvwxyz")})
RATINGS = sp.Task(PAIRS, sp.Continuous(1))
TABLE = sp.TableRow({"kind": ("a", "b", "c")}, continuous=("m", "kg"))

#: A task for each name, and the model that fits it.
ALL: dict[str, tuple[sp.Task, Callable[[], nn.Module]]] = {
    "CollabDot": (RATINGS, lambda: M.CollabDot(6, 6)),
    "DDPMUNet": (SAME, lambda: M.DDPMUNet(1, width=8, multipliers=(1, 2), attention=(1,))),
    "EfficientNetLite0": (CLASSES, lambda: M.EfficientNetLite0(1, 3)),
    "GCN": (sp.Task(sp.Graph(3), LABEL), lambda: M.GCN(3, 3)),
    "GPT": (WORDS, lambda: M.GPT(13, width=16, num_layers=2)),
    "LeNet": (CLASSES, lambda: M.LeNet(1, 3)),
    "MLP": (CLASSES, lambda: M.MLP(256, 3)),
    "MPNN": (sp.Task(sp.Graph(3, 2), LABEL), lambda: M.MPNN(3, 3, num_edge_features=2)),
    "NeuralCollab": (RATINGS, lambda: M.NeuralCollab(6, 6)),
    "NeuralODE": (
        sp.Task(sp.Continuous(2), sp.Trajectory(2, steps=5, dt=0.1)),
        lambda: M.NeuralODE(2, steps=5, dt=0.1),
    ),
    "RNNLM": (WORDS, lambda: M.RNNLM(13, width=8, num_hiddens=8)),
    "ResNet": (CLASSES, lambda: M.ResNet(1, 3)),
    "Siamese": (
        sp.Task((PICTURE, PICTURE), sp.Label(("other", "alike")), loss=nn.functional.mse_loss),
        lambda: M.Siamese(M.LeNet(1, 4)),
    ),
    "SmolLM2": (
        WORDS,
        lambda: M.SmolLM2(13, width=16, num_hiddens=16, num_layers=2, num_heads=4, num_kv_heads=2),
    ),
    "TabularNet": (sp.Task(TABLE, LABEL), lambda: M.TabularNet(TABLE.sizes, 2, 3)),
    "UNet": (
        sp.Task(PICTURE, sp.Mask(("back", "front"), (16, 16))),
        lambda: M.UNet(M.ResNet(1, 1), 2),
    ),
    "UNetEncoder": (
        sp.Task(PICTURE, sp.Mask(("back", "front"), (16, 16))),
        lambda: M.UNet(M.UNetEncoder(1, widths=(4, 8)), 2),
    ),
    "VAE": (SAME, lambda: M.VAE(1, (16, 16))),
    "ViT": (CLASSES, lambda: M.ViT(1, 3, size=(16, 16), depth=2)),
    "XResNet": (CLASSES, lambda: M.XResNet(1, 3, widths=(8, 16), depth=1)),
}


def test_no_model_is_left_out() -> None:
    assert set(ALL) == set(M.__all__) == set(dir(M))


def answer(model: nn.Module, x: Any) -> list[torch.Tensor]:
    """What a model says to a batch; a diffusion model is also told the time."""
    more = (torch.tensor([1, 5, 9]),) if isinstance(model, M.DDPMUNet) else ()
    with torch.no_grad():
        said = model.eval()(x, *more)
    return list(said) if isinstance(said, (tuple, list)) else [said]


@pytest.mark.parametrize("name", ALL)
def test_a_model_is_the_same_after_saving_and_loading(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    task, make = ALL[name]
    mock = task.mock_batch(3, generator=torch.Generator().manual_seed(1))
    learn = sp.Learner(task, sp.Data(mock.x, mock.y), model=make(), device="cpu", progress=False)
    for value in learn.model.parameters():  # as if it had learnt: no layer starts at nothing
        value.data.add_(torch.randn_like(value), alpha=0.05)
    x = task.encode(mock).x
    loaded = sp.load(learn.export(tmp_path / "model"))
    assert type(loaded.model) is type(learn.model)
    said = answer(learn.model, x)
    assert all(part.isfinite().all() for part in said)
    assert all(map(torch.equal, said, answer(loaded.model, x)))
