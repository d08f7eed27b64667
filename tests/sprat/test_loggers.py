"""What loggers leave on disk is the history."""

import builtins
import csv
from pathlib import Path
from typing import Any

import pytest

import sprat as sp
from sprat.errors import TrainingError


def test_csv_is_the_history(learn: sp.Learner, tmp_path: Path) -> None:
    log = sp.loggers.CSV(tmp_path / "logs" / "epochs.csv", steps=tmp_path / "steps.csv")
    learn.fit_one_cycle(2, callbacks=[log])
    with (tmp_path / "logs" / "epochs.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert rows == learn.history.rows
    with (tmp_path / "steps.csv").open() as file:
        steps = list(csv.DictReader(file))
    assert [float(step["loss"]) for step in steps] == learn.history.losses
    assert [float(step["lr"]) for step in steps] == learn.history.lrs
    assert [int(step["step"]) for step in steps] == list(range(10))


def test_csv_grows_by_a_second_fit_and_has_a_column_that_comes_later(
    learn: sp.Learner, tmp_path: Path
) -> None:
    log = sp.loggers.CSV(tmp_path / "epochs.csv")
    learn.phases, phases = learn.phases[:1], learn.phases
    learn.fit(1, callbacks=[log])
    learn.phases = phases
    learn.fit(1, callbacks=[log])
    with (tmp_path / "epochs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["valid_loss"] == "" for row in rows] == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["epochs.csv"]


def test_a_log_that_can_not_be_written(learn: sp.Learner, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(TrainingError, match="can't be written"):
        learn.fit(1, callbacks=[sp.loggers.CSV(tmp_path / "taken" / "epochs.csv")])


@pytest.mark.filterwarnings("ignore")  # what tensorboard imports warns of its own future
def test_tensorboard_reads_what_was_trained(learn: sp.Learner, tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    log = sp.loggers.TensorBoard(tmp_path)
    learn.fit(1)
    learn.fit(2, callbacks=[log])
    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    losses = events.Scalars("step/loss")
    assert [event.step for event in losses] == list(range(5, 15))
    assert [event.value for event in losses] == pytest.approx(learn.history.losses[5:])
    accuracy = events.Scalars("accuracy")
    assert [event.step for event in accuracy] == [1, 2]
    assert [event.value for event in accuracy] == pytest.approx(learn.history["accuracy"][1:])


def test_without_tensorboard_the_error_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith(("tensorboard", "torch.utils.tensorboard")):
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TrainingError, match="not installed") as caught:
        sp.loggers.TensorBoard(tmp_path)
    assert caught.value.fix == "pip install tensorboard"
