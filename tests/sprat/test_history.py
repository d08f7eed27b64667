"""The history, and what training shows in a terminal, a notebook and a log."""

from pathlib import Path

import pytest

import sprat as sp
from sprat.errors import DataError
from sprat.live import Progress, TableCanvas


def test_columns(learn: sp.Learner) -> None:
    history = learn.fit(3)
    assert len(history) == 3
    assert history["epoch"] == [0, 1, 2]
    assert len(history.losses) == len(history.lrs) == 3 * learn.steps_per_epoch
    assert history.last("accuracy") == history["accuracy"][-1]
    assert list(history.rows[0]) == ["epoch", "train_loss", "valid_loss", "accuracy"]


def test_epochs_are_counted_over_all_fits(learn: sp.Learner, tmp_path: Path) -> None:
    """In the history, in its table, in a log, and in the names of the best models."""
    learn.fit(2)
    keep = [sp.loggers.CSV(tmp_path / "log.csv"), sp.Checkpoint(tmp_path, best=9)]
    learn.fit(2, callbacks=keep)
    learn.resume(tmp_path)
    learn.fit(2)  # done already
    learn.fit(1)
    assert learn.history["epoch"] == [0, 1, 2, 3, 4]
    assert [line.split()[0] for line in repr(learn.history).splitlines()[2:]] == list("01234")
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2", "3"]
    assert {path.name for path in (tmp_path / "best").iterdir()} == {"epoch-002", "epoch-003"}


def test_unknown_columns_name_the_known_ones(learn: sp.Learner) -> None:
    with pytest.raises(DataError, match="no column 'loss'") as caught:
        _ = sp.History()["loss"]
    assert "none yet" in caught.value.fix
    history = learn.fit(1)
    with pytest.raises(DataError) as caught:
        history.last("loss")
    assert "train_loss, valid_loss, accuracy" in caught.value.fix


def test_table_reads_well(learn: sp.Learner) -> None:
    assert "nothing was trained" in repr(sp.History())
    lines = repr(learn.fit(2)).splitlines()
    assert lines[0].split() == ["epoch", "train", "loss", "valid", "loss", "accuracy"]
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert "<table" in learn.history._repr_html_()


def test_plot_has_labels(learn: sp.Learner) -> None:
    ax = learn.fit(2).plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")
    assert ax.get_title()
    assert len(ax.get_lines()) == 2
    assert len(ax.get_lines()[1].get_xdata()) == 2


def test_a_log_gets_the_table_and_equal_runs_equal_text(
    pictures: sp.Data, task: sp.Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    import torch

    monkeypatch.setenv("SPRAT_PROGRESS", "plain")

    def said() -> str:
        torch.manual_seed(0)
        learn = sp.Learner(
            task, (pictures, pictures), model=sp.models.MLP(81, 3), device="cpu",
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        learn.fit(2)
        return capsys.readouterr().out

    first = said()
    assert first == said()
    lines = first.splitlines()
    assert len(lines) == 4
    assert lines[0].split()[0] == "epoch"
    assert [line.split()[0] for line in lines[2:]] == ["0", "1"]


def test_a_notebook_gets_one_output(learn: sp.Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setenv("SPRAT_PROGRESS", "notebook")
    monkeypatch.setattr(
        TableCanvas, "_show", lambda self, text, markup: shown.append((text, markup))
    )
    learn.fit(2)
    assert shown[-1] == (str(learn.history), learn.history._repr_html_())
    assert "<progress" not in shown[-1][1]


def test_progress_counts_every_step(learn: sp.Learner) -> None:
    progress = Progress()
    learn.progress = False
    learn.fit(2, callbacks=[progress])
    steps = 2 * (learn.steps_per_epoch + len(learn.loaders["valid"]))
    assert progress.bar.done == progress.bar.total == steps
    assert progress.bar.text == "epoch 2 of 2, valid"
