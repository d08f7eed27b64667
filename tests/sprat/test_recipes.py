"""Recipes: the protocol on a toy that learns in no time, the logs, the shell, each real recipe."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp
from sprat import datasets, recipes
from sprat.datasets.registry import Dataset
from sprat.errors import DataError, TrainingError
from sprat.recipes import __main__ as shell
from sprat.recipes import mllog, protocol
from sprat.recipes.protocol import Result, Run
from sprat.recipes.recipe import Recipe, Settings

CPU = torch.device("cpu")


def dataset(name: str, parse: Any, **told: Any) -> Dataset:
    """A data set that is made where it is fetched, from no file."""
    return Dataset(
        **{
            "name": name,
            "title": name,
            "about": "Made up.",
            "input": "Continuous",
            "target": "Continuous",
            "classes": ("y",),
            "splits": {"train": 32, "test": 16},
            "shape": (),
            "licence": "CC0",
            "citation": "nobody",
            "home": "https://example.org",
            "files": (),
            "sources": (),
            "parse": parse,
            **told,
        }
    )


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_known", dict(datasets._known))

    def line(read: Any, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.linspace(-1, 1, 32 if split == "train" else 16)[:, None]
        return x, 3 * x

    datasets.register(dataset("line", line))


def toy(*, max_epochs: int = 50, target: float = 0.01) -> Recipe:
    """A slope that is found within some epochs."""

    def build(
        settings: Settings, data: str, generator: torch.Generator, device: torch.device
    ) -> sp.Learner:
        return sp.Learner(
            nn.Linear(1, 1),
            (datasets.fetch(data), datasets.fetch(data, "test")),
            loss=nn.functional.mse_loss,
            lr=settings.lr,
            batch_size=settings.batch_size,
            generator=generator,
            device=device,
            progress=False,
        )

    settings = Settings(target=target, max_epochs=max_epochs, batch_size=8, lr=0.1, model={})
    return Recipe(
        name="toy",
        about="A slope.",
        data={"fast": "line"},
        quality="mean square error",
        rising=False,
        sizes={"fast": settings},
        build=build,
        measure=lambda row: row["valid_loss"],
    )


def test_a_run_ends_at_its_target(tmp_path: Path) -> None:
    ticks = count(start=10.0, step=5.0)
    done = protocol.run_once(
        toy(), "fast", 3, tmp_path / "log.txt", device="cpu", clock=lambda: next(ticks)
    )
    assert done.reached
    assert done.quality <= 0.01
    assert 1 < done.epochs < 50
    assert done.seconds == 5.0
    assert done.seed == 3


def test_the_same_seed_is_the_same_run(tmp_path: Path) -> None:
    runs = [
        protocol.run_once(toy(), "fast", seed, tmp_path / f"{i}.txt", device="cpu")
        for i, seed in enumerate((1, 1, 2))
    ]
    assert runs[0].quality == runs[1].quality != runs[2].quality


def test_a_run_without_success_is_logged_as_aborted(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    done = protocol.run_once(toy(max_epochs=2, target=0.0), "fast", 0, path, device="cpu")
    assert not done.reached
    assert done.epochs == 2
    assert mllog.read(path)[-1]["metadata"]["status"] == "aborted"


def keys(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["key"] for event in events]


def test_log_keeps_the_rules_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    protocol.run_once(toy(), "fast", 7, path, device="cpu")
    lines = path.read_text().splitlines()
    assert all(line.startswith(":::MLLOG {") for line in lines)
    events = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    for event in events:
        assert list(event) == ["namespace", "time_ms", "event_type", "key", "value", "metadata"]
        expected = {"_start": "INTERVAL_START", "_stop": "INTERVAL_END"}
        kind = next((kind for end, kind in expected.items() if event["key"].endswith(end)), None)
        assert event["event_type"] == (kind or "POINT_IN_TIME")
    times = [event["time_ms"] for event in events]
    assert times == sorted(times)
    once = ("submission_benchmark", "submission_org", "submission_division", "submission_platform",
            "init_stop", "run_start", "run_stop", "seed", "global_batch_size", "train_samples",
            "eval_samples", "gradient_accumulation_steps", "opt_name", "opt_base_learning_rate",
            "cache_clear")  # fmt: skip
    for key in once:
        assert keys(events).count(key) == 1, key
    order = [keys(events).index(key) for key in ("init_start", "init_stop", "run_start")]
    assert order == sorted(order)
    values = {event["key"]: event["value"] for event in events}
    assert values["seed"] == 7
    assert values["train_samples"] == 32
    assert "not an MLPerf result" in json.dumps(events)


def test_log_pairs_epochs_with_evaluations(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    done = protocol.run_once(toy(), "fast", 0, path, device="cpu")
    events = mllog.read(path)
    inside = keys(events)[keys(events).index("run_start") + 1 : -1]
    assert inside == ["epoch_start", "epoch_stop", "eval_start", "eval_stop", "eval_accuracy"] * (
        done.epochs
    )
    numbers = [e["metadata"]["epoch_num"] for e in events if e["key"] == "eval_accuracy"]
    assert numbers == list(range(1, done.epochs + 1))
    qualities = [e["value"] for e in events if e["key"] == "eval_accuracy"]
    assert qualities[-1] <= 0.01 < min(qualities[:-1])


def test_the_clock_starts_before_the_data_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "log.txt", []

    def parse(read: Any, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(keys(mllog.read(path))[-1])
        x = torch.ones(32 if split == "train" else 16, 1)
        return x, x

    datasets.register(dataset("watched", parse))
    recipe = replace(toy(), data={"fast": "watched"})
    protocol.run_once(recipe, "fast", 0, path, device="cpu")
    assert seen == ["run_start", "run_start"]


def result(*seconds: float, failed: int = 0) -> Result:
    runs = [
        Run(i, s, int(s), 0.5, reached=i >= failed) for i, s in enumerate(seconds)
    ]  # the first ones fail
    return Result("toy", "fast", 0.9, tuple(runs), "cpu", 1)


def test_the_fastest_and_the_slowest_are_dropped() -> None:
    done = result(1, 2, 3, 4, 100)
    assert done.valid
    assert done.seconds == 3
    assert done.epochs == 3
    assert "3.0 s and 3.0 epochs" in str(done)


def test_one_failure_counts_as_the_slowest() -> None:
    done = result(1, 2, 3, 4, 5, failed=1)  # the failed one took 1 s
    assert done.valid
    assert [run.seconds for run in done.kept()] == [3, 4, 5]
    assert "1 failed" in str(done)


@pytest.mark.parametrize(
    ("done", "says"),
    [(result(1, 2, 3, 4, 5, failed=2), "2 failed"), (result(1, 2), "fewer than three runs")],
)
def test_results_that_are_none(done: Result, says: str) -> None:
    assert not done.valid
    assert math.isnan(done.seconds)
    assert f"no valid result, {says}" in str(done)
    assert done.summary()["seconds"] is None


def test_nan_reaches_no_target() -> None:
    assert not toy().reached(math.nan, 0.5)
    assert not replace(toy(), rising=True).reached(math.nan, 0.5)
    assert replace(toy(), rising=True).reached(0.5, 0.5)


def test_all_runs_leave_logs_and_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(recipes, "describe", lambda name: toy())
    folder = tmp_path / "out"
    done = recipes.run("toy", runs=4, seed=5, folder=folder, device="cpu", say=said.append)
    assert [run.seed for run in done.runs] == [5, 6, 7, 8]
    assert [f"seed {seed}" in line for seed, line in zip(range(5, 9), said, strict=True)] == [
        True
    ] * 4
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["valid"] is True
    assert len(summary["runs"]) == 4
    assert summary["note"].endswith("It is not an MLPerf result.")
    seeds = [
        next(e["value"] for e in mllog.read(folder / f"result_{i}.txt") if e["key"] == "seed")
        for i in range(4)
    ]
    assert seeds == [5, 6, 7, 8]
    with pytest.raises(TrainingError, match="is no empty folder"):
        recipes.run("toy", runs=3, folder=folder)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"name": "imge"}, "Did you mean 'image'"),
        ({"name": "image", "size": "huge"}, "has no size 'huge'"),
        ({"name": "image", "runs": 0}, "0 runs are none"),
    ],
)
def test_mistakes_are_named(asked: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=says):
        recipes.run(folder=tmp_path / "new", **asked)


def test_logs_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no log"):
        mllog.read(tmp_path / "missing.txt")
    (tmp_path / "bad.txt").write_text(':::MLLOG {"key": 1}\n')
    with pytest.raises(DataError, match="without all its fields"):
        mllog.read(tmp_path / "bad.txt")
    (tmp_path / "other.txt").write_text("loss 3.2\n")
    assert mllog.read(tmp_path / "other.txt") == []


@pytest.mark.parametrize(
    ("target", "runs", "code", "says"),
    [(0.01, 3, 0, "It is not an MLPerf result"), (0.0, 3, 1, "3 failed")],
)
def test_the_shell(
    target: float,
    runs: int,
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = toy(max_epochs=40 if target else 2, target=target)
    monkeypatch.setattr(recipes, "describe", lambda name: recipe)
    asked = ["toy", "--runs", str(runs), "--folder", str(tmp_path / "out"), "--device", "cpu"]
    assert shell.main(asked) == code
    out = capsys.readouterr().out
    assert says in out
    assert "run 3 of 3" in out
    assert (tmp_path / "out" / "result_2.txt").is_file()


@pytest.mark.parametrize(
    "asked", [["imge"], ["image", "--profile", "big"], ["image", "--threads", "0"]]
)
def test_the_shell_answers_mistakes_without_a_traceback(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.main([*asked, "--folder", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "fix: " in error


def test_help_lists_all_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        shell.main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in recipes.names())
    assert "not an MLPerf result" in " ".join(out.split())


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_has_two_sizes_over_known_data(name: str) -> None:
    recipe = recipes.describe(name)
    assert recipe.name == name
    assert set(recipe.sizes) == set(recipe.data) == {"fast", "full"}
    for data in recipe.data.values():
        assert set(datasets.describe(data).splits) == {"train", "test"}


def mails(read: Any, split: str) -> tuple[list[str], torch.Tensor]:
    y = torch.arange(32 if split == "train" else 16) % 2
    return [("buy cheap gold now " if kind else "see you at lunch ") * 3 for kind in y.tolist()], y


def molecules(read: Any, split: str) -> tuple[sp.GraphBatch, torch.Tensor]:
    from sprat.datasets.smiles import graph, parse

    lengths = [i % 8 + 1 for i in range(32 if split == "train" else 16)]
    graphs = sp.GraphBatch.of([graph(parse("C" * length)) for length in lengths])
    return graphs, torch.tensor(lengths, dtype=torch.float32)[:, None]


def stars(read: Any, split: str) -> tuple[Any, torch.Tensor]:
    n = torch.arange(32 if split == "train" else 16)
    pairs = torch.stack([n % 4, n // 4 % 4], 1)
    return sp.Rows(pairs, torch.zeros(len(n), 0)), 0.5 + pairs[:, :1].float()


MADE_UP = {
    "text": dataset("mails", mails, input="Text", target="Label", classes=("ham", "spam")),
    "graph": dataset("molecules", molecules, input="Graph", shape=(18, 4)),
    "ratings": dataset(
        "stars", stars, input="TableRow",
        blocks=lambda read: (
            sp.TableRow([("user", "abcd"), ("film", "efgh")]), sp.Continuous(1, ("stars",))
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE_UP)
def test_recipes_learn_from_made_up_data(name: str) -> None:
    datasets.register(MADE_UP[name])
    recipe = recipes.describe(name)
    settings = replace(recipe.sizes["fast"], batch_size=8, lr=1e-2)
    learn = recipe.build(settings, MADE_UP[name].name, torch.Generator().manual_seed(0), CPU)
    history = learn.fit(15)
    first, last = (recipe.measure(history.rows[i]) for i in (0, -1))
    assert last > 0.99 if recipe.rising else last < 0.7 * first


def test_the_image_recipe_on_its_data(tmp_path: Path) -> None:
    recipe = recipes.describe("image")
    easy = replace(recipe.sizes["fast"], target=0.3, max_epochs=2)
    recipe = replace(recipe, sizes={"fast": easy})
    done = protocol.run_once(recipe, "fast", 0, tmp_path / "log.txt", device="cpu")
    assert done.reached
    events = mllog.read(tmp_path / "log.txt")
    (benchmark,) = (e for e in events if e["key"] == "submission_benchmark")
    assert benchmark["value"] == "sprat_image_fast"


def test_the_formats_own_checker_accepts_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # It knows MLPerf's benchmarks only: under the name of one, everything else must hold.
    checker = pytest.importorskip("mlperf_logging.compliance_checker.mlp_compliance")
    path = tmp_path / "result_0.txt"
    protocol.run_once(toy(), "fast", 0, path, device="cpu")
    path.write_text(path.read_text().replace("sprat_toy_fast", "retinanet"))
    judge = checker.make_checker("training", "5.1.0", False, False)
    valid, *_ = checker.main(str(path), "training_5.1.0/common.yaml", judge)
    assert valid, capsys.readouterr().out
