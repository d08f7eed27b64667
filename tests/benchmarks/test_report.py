"""The page of benchmarks: every stored result has its table, its date and its machine."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from chapterhouse.site import typed_pages

ROOT = Path(__file__).parents[2]
#: What readers see of the book besides notebooks.
PAGES = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]


@pytest.fixture(scope="module")
def report() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_result_becomes_a_table(
    report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    rows = {
        "one": {"seconds": report.spread([1.0, 2.0, 4.0]), "ratio": 1.0},
        "two": {"seconds": report.spread([2.0]), "memory_MB": 1234},
    }
    report.save("speed", "seconds a turn", rows, ["torch"])
    stored = json.loads((tmp_path / "speed.json").read_text())
    assert set(stored) >= {"date", "machine", "python", "versions", "commit", "rows"}
    text = report.page()
    assert "## Speed" in text
    assert "Seconds a turn." in text
    assert "| | seconds | ratio | memory MB |" in text
    assert "| one | 2 (1–4) | 1 |  |" in text
    assert "| two | 2 (2–2) |  | 1,234 |" in text
    assert f"Measured {stored['date']}" in text


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")))
def test_every_stored_result_can_be_shown(report: ModuleType, path: Path) -> None:
    text = report.section(path.stem, json.loads(path.read_text()))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) >= 3
    assert len({line.count("|") for line in table}) == 1
    assert "Measured 20" in text


def test_ratios_are_drawn_and_told(
    report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "PLOTS", tmp_path / "plots")
    ways = {"hand": [1.0, 1.0], "sprat": [0.9, 1.1], "peer": [2.0, 3.0]}
    rows = {
        f"{m}: {way}": {"ratio": report.spread(v)}
        for m in ("CNN", "LSTM")
        for way, v in ways.items()
    }
    report.save("speed", "ratios", rows, ["torch"])
    result = json.loads((tmp_path / "speed.json").read_text())
    assert report.panels(result)["LSTM"]["peer"]["median"] == 2.5
    assert "LSTM: hand 1.00, sprat 1.00, peer 2.50" in report.plot_words(result)
    assert "](_static/benchmarks/speed.svg)" in report.page()
    path = report.plot("speed", result)
    first = path.read_bytes()
    assert report.plot("speed", result).read_bytes() == first
    assert b"<svg" in first
    few = {"rows": {"a": {"ratio": report.spread([1.0])}, "b": {"seconds": 2}}}
    assert not report.has_plot(few)


def test_the_page_is_what_its_program_writes_now(report: ModuleType) -> None:
    assert report.PAGE.read_text() == report.page(), "run python benchmarks/report.py"
    made = [path for path in PAGES if typed_pages.made_by(path.read_text())]
    assert made == [report.PAGE], "no other page may call itself made by a program"


def test_figures_of_benchmarks_have_the_units_of_their_columns(report: ModuleType) -> None:
    found = {name: (value, unit) for name, value, unit in report.figures()}
    stored = json.loads((report.RESULTS / "grading_speed.json").read_text())["rows"]
    way, row = next(iter(stored.items()))
    assert found[f"grading_speed, {way}: median_ms"] == (row["median_ms"], "ms")
    assert {unit for _, unit in found.values()} >= {"s", "ms", "MB", "times"}
    assert not any("ratio" in name for name in found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_has_the_figure_of_a_benchmark_typed_by_hand(
    report: ModuleType, path: Path
) -> None:
    figures = [typed_pages.Figure(*figure) for figure in report.figures()]
    assert len(figures) > 50
    assert typed_pages.findings(path.read_text(), figures, where=path.name) == []


def test_a_figure_of_a_benchmark_typed_into_a_page_is_found(report: ModuleType) -> None:
    figures = [typed_pages.Figure(*figure) for figure in report.figures()]
    rows = json.loads((report.RESULTS / "grading_speed.json").read_text())["rows"]
    text = f"# Page\n\nAn answer takes {rows['interpreter']['median_ms']} ms.\n"
    assert len(typed_pages.findings(text, figures, where="page")) == 1
