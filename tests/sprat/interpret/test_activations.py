"""Activation statistics: the figures of a hook by hand, and nothing left behind."""

from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import CallbackError, DataError
from sprat.interpret import ActivationStats


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) for m in model.modules())


def watched(pictures: sp.Data, task: sp.Task, stats: Any, epochs: int = 1) -> sp.Learner:
    learn = sp.Learner(
        task, (pictures, pictures), model=sp.models.MLP(81, 3, [8]), batch_size=32, device="cpu"
    )
    learn.fit(epochs, callbacks=[stats])
    return learn


class ByHand(sp.Callback):
    """What the layers put out for each batch, computed again before the step."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def step_begin(self, learn: Any) -> None:
        if learn.phase.trains:
            layers = [m for m in learn.model.modules() if isinstance(m, nn.Linear)]
            x = learn.batch.x.flatten(1)
            with torch.no_grad():
                first = layers[0](x)
                self.seen += [first, layers[1](first.relu())]


def test_figures_are_those_of_the_layers(pictures: sp.Data, task: sp.Task) -> None:
    stats, by_hand = ActivationStats(near_zero=0.1, bins=10, span=(-2, 2)), ByHand()
    learn = sp.Learner(
        task, (pictures, pictures), model=sp.models.MLP(81, 3, [8]), batch_size=32, device="cpu"
    )
    learn.fit(2, callbacks=[by_hand, stats])
    assert len(stats.names) == 2
    assert stats.steps == list(range(6))
    assert stats.means.shape == stats.stds.shape == stats.zeros.shape == (6, 2)
    assert stats.histograms.shape == (6, 2, 10)
    for i, values in enumerate(by_hand.seen):
        step, layer = divmod(i, 2)
        assert float(stats.means[step, layer]) == pytest.approx(float(values.mean()), abs=1e-5)
        assert float(stats.stds[step, layer]) == pytest.approx(
            float(values.std(correction=0)), abs=1e-5
        )
        near = (values.abs() <= 0.1).float().mean()
        assert float(stats.zeros[step, layer]) == pytest.approx(float(near), abs=1e-6)
        expected = values.clamp(-1.9999, 1.9999).histc(10, -2, 2) / values.numel()
        assert torch.allclose(stats.histograms[step, layer], expected, atol=2e-2)
        assert float(stats.histograms[step, layer].sum()) == pytest.approx(1, abs=1e-4)


def test_only_some_steps_and_some_layers(pictures: sp.Data, task: sp.Task) -> None:
    names = [n for n, m in sp.models.MLP(81, 3, [8]).named_modules() if isinstance(m, nn.ReLU)]
    stats = ActivationStats(names, every=4)
    watched(pictures, task, stats, epochs=3)
    assert stats.names == names
    assert stats.steps == [0, 4, 8]
    assert bool((stats.zeros > 0.1).all())  # what a ReLU cuts off


def test_a_second_fit_goes_on(pictures: sp.Data, task: sp.Task) -> None:
    stats = ActivationStats()
    learn = watched(pictures, task, stats)
    learn.fit(1, callbacks=[stats])
    assert stats.steps == list(range(6))
    assert hooks(learn.model) == 0


def test_training_is_the_same_with_and_without(pictures: sp.Data, task: sp.Task) -> None:
    def losses(*callbacks: sp.Callback) -> list[float]:
        torch.manual_seed(3)
        model = sp.models.MLP(81, 3, [8])
        dice = torch.Generator().manual_seed(0)
        learn = sp.Learner(task, pictures, model=model, device="cpu", generator=dice)
        return list(learn.fit(1, callbacks=callbacks).losses)

    assert losses(ActivationStats()) == losses()


class Stop(sp.Callback):
    def step_end(self, learn: Any) -> None:
        raise KeyboardInterrupt


class Refuse(sp.Callback):
    def fit_begin(self, learn: Any) -> None:
        raise RuntimeError("no")


@pytest.mark.parametrize("ending", [Stop(), Refuse()])
def test_hooks_are_gone_however_training_ends(
    pictures: sp.Data, task: sp.Task, ending: sp.Callback
) -> None:
    learn = sp.Learner(task, pictures, model=sp.models.MLP(81, 3), device="cpu")
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        learn.fit(1, callbacks=[ActivationStats(), ending])
    assert hooks(learn.model) == 0


def test_activations_that_are_no_numbers_do_not_break_training() -> None:
    stats = ActivationStats(bins=4)
    row = stats._measure(torch.tensor([torch.nan, torch.inf, 1.0]))
    assert float(row[3:].sum()) == pytest.approx(1)


def test_plots_name_what_they_show(pictures: sp.Data, task: sp.Task) -> None:
    stats = ActivationStats()
    watched(pictures, task, stats, epochs=2)
    labels = [ax.get_ylabel() for ax in stats.plot().axes]
    assert labels == ["mean", "standard deviation", "share within ±0.05"]
    histograms = [ax for ax in stats.plot_histograms().axes if ax.images]
    assert [ax.get_title() for ax in histograms] == stats.names


def test_mistakes_are_named(pictures: sp.Data, task: sp.Task) -> None:
    with pytest.raises(DataError, match="Nothing was noted"):
        _ = ActivationStats().means
    with pytest.raises(CallbackError, match="every=0"):
        ActivationStats(every=0)
    with pytest.raises(CallbackError, match="no layer 'head'"):
        watched(pictures, task, ActivationStats(["head"]))
    stats = ActivationStats()
    watched(pictures, task, stats)
    other = sp.Learner(task, pictures, model=sp.models.LeNet(1, 3), device="cpu")
    with pytest.raises(CallbackError, match="another model"):
        other.fit(1, callbacks=[stats])
