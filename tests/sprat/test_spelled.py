"""What print shows of callbacks, phases and metrics: the call that makes them."""

from pathlib import Path
from typing import Any

import pytest
import torch

import sprat as sp
from sprat import loggers

SHOWN = {
    "EarlyStopping(monitor='valid_loss', patience=3)": lambda: sp.EarlyStopping(),
    "EarlyStopping(monitor='accuracy', patience=1, min_delta=0.1)": lambda: sp.EarlyStopping(
        "accuracy", patience=1, min_delta=0.1, better="higher"
    ),
    "GradientClip(max_norm=1.0)": lambda: sp.GradientClip(1.0),
    "EMA(decay=0.9, warmup=False)": lambda: sp.EMA(0.9, warmup=False),
    "Accumulate(batches=4)": lambda: sp.Accumulate(4),
    "Checkpoint(folder='runs', keep=2, best=1, monitor='valid_loss')": lambda: sp.Checkpoint(
        Path("runs"), best=1
    ),
    "CSV(path='log.csv')": lambda: loggers.CSV("log.csv"),
    "Augment(Flip(probability=0.5))": lambda: sp.Augment(sp.augment.Flip()),
    "MixUp(alpha=0.4, probability=1.0)": lambda: sp.MixUp(0.4),
    "Schedule(lr=<a function>)": lambda: sp.Schedule(lambda t: t),
    "TrainPhase()": lambda: sp.TrainPhase(),
    "ValidPhase(step=VAEPhase.step)": lambda: sp.ValidPhase(sp.VAEPhase().step),
    "VAEPhase(beta=2.0, error=squared_error, to_x=sigmoid)": lambda: sp.VAEPhase(2.0),
    "GANPhase(num_latents=8, real_label=0.9)": lambda: sp.GANPhase(8, real_label=0.9),
    "FixMatchPhase(weak=(Flip(probability=0.5),), strong=(), threshold=0.95, weight=1.0, "
    "labelled='train')": lambda: sp.FixMatchPhase([sp.augment.Flip()], []),
    "PredictPhase(split='valid')": lambda: sp.PredictPhase(),
    "Mean(function=accuracy, name='accuracy', lower_is_better=False)": lambda: sp.metrics.Mean(
        sp.metrics.accuracy
    ),
}


@pytest.mark.parametrize("text", SHOWN)
def test_what_is_shown(text: str) -> None:
    assert repr(SHOWN[text]()) == text


def test_values_of_many_kinds_stay_short() -> None:
    class Mine(sp.Callback):
        def __init__(self, *parts: Any, model: Any = None, table: Any = (), kind: Any = 0) -> None:
            self.parts, self.model, self.table, self.kind = parts, model, table, kind

    made = Mine(torch.zeros(2, 3), object(), model=torch.nn.Linear(1, 1), table=[1] * 99, kind=int)
    assert repr(made) == (
        f"Mine(<float32 (2, 3)>, <object>, model=<Linear>, table=[{'1, ' * 19}1…, kind=int)"
    )
    assert repr(Mine()) == "Mine()"


def test_a_learner_shows_its_callbacks_and_phases_by_it(learn: sp.Learner) -> None:
    learn.callbacks = [sp.GradientClip(1.0)]
    assert str(learn.callbacks) == "[GradientClip(max_norm=1.0)]"
    assert str(learn.phases) == "(TrainPhase(), ValidPhase())"
