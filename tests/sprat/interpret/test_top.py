"""Top losses: each sample's own loss, the worst first, shown with truth and prediction."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sprat as sp
from sprat.errors import DataError, TrainingError
from sprat.interpret import sample_losses, show_top_losses, top_losses


def test_the_mean_of_all_is_the_loss(learn: sp.Learner) -> None:
    losses = sample_losses(learn)
    assert losses.shape == (24,)
    assert float(losses.mean()) == pytest.approx(learn.evaluate()["loss"], rel=1e-5)


def test_torchs_losses_and_your_own_agree(task: sp.Task, pictures: sp.Data) -> None:
    model = sp.models.MLP(81, 3, [8])

    def made(loss: Any) -> torch.Tensor:
        learn = sp.Learner(task, (pictures, pictures), model=model, loss=loss, device="cpu")
        return sample_losses(learn)

    alone = made(lambda y_hat, y: F.cross_entropy(y_hat, y))  # asked sample by sample
    assert torch.allclose(made(F.cross_entropy), alone, atol=1e-6)
    assert torch.allclose(made(nn.CrossEntropyLoss()), alone, atol=1e-6)
    smooth = made(partial(F.cross_entropy, label_smoothing=0.1))
    own = made(lambda y_hat, y: F.cross_entropy(y_hat, y, label_smoothing=0.1))
    assert torch.allclose(smooth, own, atol=1e-6)
    assert not torch.allclose(smooth, alone, atol=1e-3)
    # Alone in its batch, a sample's class weight cancels.
    weighted = made(partial(F.cross_entropy, weight=torch.tensor([1.0, 2.0, 3.0])))
    assert torch.allclose(weighted, alone, atol=1e-6)


def test_a_wrong_label_comes_first(learn: sp.Learner, pictures: sp.Data) -> None:
    learn.fit(20, lr=0.02)
    y = pictures.y.clone()
    y[[10, 33]] = (y[[10, 33]] + 1) % 3
    found = top_losses(learn, 5, data=sp.Data(pictures.x, y))
    assert set(found.indices[:2]) == {10, 33}
    assert found.losses == sorted(found.losses, reverse=True)
    names = pictures.classes
    assert [found.truths[k] for k in range(2)] == [names[y[i]] for i in found.indices[:2]]
    assert [found.predictions[k].name for k in range(2)] == [
        names[pictures.y[i]] for i in found.indices[:2]
    ]
    easy = top_losses(learn, 3, data=pictures, largest=False)
    assert easy.losses == sorted(easy.losses)
    assert max(easy.losses) < min(found.losses)


@pytest.mark.parametrize("backend", ["text", "matplotlib"])
def test_shown_with_loss_truth_and_prediction(learn: sp.Learner, backend: str) -> None:
    drawn = show_top_losses(learn, 3, backend=backend, columns=3)
    words = drawn if backend == "text" else "\n".join(ax.get_title() for ax in drawn.axes)
    assert words.count("loss ") == words.count("truth: ") == words.count("predicted: ") == 3
    assert f"sample {top_losses(learn, 1).indices[0]}" in words


def test_a_table_says_which_is_which(learn: sp.Learner) -> None:
    found = top_losses(learn, 4)
    assert len(found) == 4
    assert "truth" in str(found)
    assert "predicted" in found._repr_html_()


TARGETS = {
    "labels": sp.Labels(["hat", "coat"]),
    "mask": sp.Mask(["sky", "tree"]),
    "numbers": sp.Continuous(2),
}
MODELS = {
    "labels": lambda: nn.Sequential(nn.Flatten(), nn.Linear(1024, 2)),
    "mask": lambda: nn.Conv2d(1, 2, 1),
    "numbers": lambda: nn.Sequential(nn.Flatten(), nn.Linear(1024, 2)),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_every_target_has_top_losses(kind: str) -> None:
    task = sp.Task(sp.Image(1), TARGETS[kind])
    mock = task.mock_batch(12)
    data = sp.Data(mock.x, mock.y)
    learn = sp.Learner(task, (data, data), model=MODELS[kind](), device="cpu")
    losses = sample_losses(learn)
    by_hand = [
        float(task.loss(learn.predictions(data[i : i + 1])[0], data.y[i : i + 1]))
        for i in range(12)
    ]
    assert losses.tolist() == pytest.approx(by_hand, rel=1e-5)
    words = show_top_losses(learn, 2, backend="text")
    assert words.count("loss ") == 2
    assert "truth" in words
    assert "predicted" in words


class Reconstruct(sp.TrainPhase):
    """A phase with a step of its own, and no target."""

    def step(self, learn: sp.Learner, batch: sp.Batch) -> Any:
        x_hat = learn.model(batch.x)
        return learn.update(loss=F.mse_loss(x_hat, batch.x), y_hat=x_hat)


@pytest.mark.parametrize("validates", [True, False])
def test_a_phase_of_your_own_is_asked_sample_by_sample(pictures: sp.Data, validates: bool) -> None:
    block = sp.Image(channels=1, size=(9, 9))
    phase = Reconstruct()
    learn = sp.Learner(
        sp.Task(block, output=block),
        (sp.Data(pictures.x), sp.Data(pictures.x[:9])) if validates else sp.Data(pictures.x[:9]),
        model=nn.Conv2d(1, 1, 3, padding=1),
        phases=(phase, sp.ValidPhase(phase.step)) if validates else (phase,),
        device="cpu",
    )
    x = learn.encode(sp.Batch(pictures.x[:9])).x
    expected = (learn.model(x) - x).square().flatten(1).mean(1)
    assert torch.allclose(sample_losses(learn), expected, atol=1e-6)
    before = [p.clone() for p in learn.model.parameters()]
    words = show_top_losses(learn, 2, backend="text")
    assert words.count("loss ") == 2
    assert all(torch.equal(a, b) for a, b in zip(before, learn.model.parameters(), strict=True))


def test_mistakes_are_named(learn: sp.Learner) -> None:
    with pytest.raises(DataError, match="count is 0"):
        top_losses(learn, 0)
    with torch.no_grad():
        next(learn.model.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingError, match="loss of sample 0 is nan"):
        top_losses(learn)


def test_every_display_with_a_truth_says_so() -> None:
    """fastai's users could not tell truth from prediction (fastai#4011, #3215)."""
    from sprat.grid import TextGrid
    from sprat.show import results

    seen = 0
    for (kind, target, output), display in results._table.items():
        if target is None or output is None:
            continue
        blocks = [MOCKS.get(each) for each in (kind, target, output)]
        if None in blocks:
            continue
        seen += 1
        grid = TextGrid()
        values = [block.mock(1) for block in blocks]
        read = sp.Task(blocks[0], blocks[1], loss=F.mse_loss, metrics=[], encodings=[])
        truth = read.decode_target(values[1])[0]
        said = sp.Guess("a", 0.5) if isinstance(blocks[2], sp.Label) else None
        said = [sp.Guess("a", 0.5)] if isinstance(blocks[2], sp.Labels) else said
        display(grid, values[0][0], truth, said if said is not None else values[2][0])
        words = grid.result()
        assert "truth" in words, (kind, target, output)
        assert "predicted" in words, (kind, target, output)
    assert seen >= 8


MOCKS = {
    sp.Image: sp.Image(1, (32, 32)),
    sp.Label: sp.Label(["a", "b"]),
    sp.Labels: sp.Labels(["a", "b"]),
    sp.Mask: sp.Mask(["a", "b"]),
    sp.Continuous: sp.Continuous(2),
    sp.Keypoints: sp.Keypoints(("nose",), (32, 32)),
}
