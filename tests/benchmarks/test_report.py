"""The page of benchmarks: every stored result has its table, its date and its machine."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


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
