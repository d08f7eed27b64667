"""The results of all benchmarks, and the page of the book that shows them.

Each benchmark stores one JSON file in ``benchmarks/results``: what was measured, when, on which
machine, with which versions, and its rows. Run as a script, this writes ``book/benchmarks.md`` and
draws the ratios for it.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "book" / "benchmarks.md"
PLOTS = ROOT / "book" / "_static" / "benchmarks"

_OPENING = """\
# Benchmarks

What the book promises about speed, measured. Each table is one benchmark: the ways take turns in
one run, so that a busy machine slows all of them, and ratios are of times from the same round.
Trust the ratios more than the seconds. `make bench` measures again and writes this page.

% made by benchmarks/report.py
"""
_TITLES = {
    "learner_overhead": "Training: what the learner adds",
    "gpu_fashion": "Training on a GPU",
    "import_time": "Importing",
    "book": "Making the book",
    "execution": "Executing again after an edit",
    "serve": "Previewing while you write",
    "site_weight": "What a page weighs",
    "grading_speed": "Grading",
    "recipes": "Recipes: time to a target",
    "cartpole": "A pole that learns to stand up",
}
_NOTES = {
    "learner_overhead": "`hand` is the loop that you would write yourself; chapter 4 does. The "
    "ratio is to the hand-written loop that does the same work. `sprat, all on` also validates, "
    "with a progress bar, the recorder and two metrics, and its ratio is to a loop that does so by "
    "hand. Peers have everything off that can be switched off. MLP and "
    "LeNet train on Fashion-MNIST; the LSTM reads 32 bytes of a novel and names the novel.",
    "import_time": "A new interpreter each time. sprat imports each of its files when you first "
    "use a name from it; the last row uses them all.",
    "book": "A clone of the repository, with the data sets in the cache: first the environment is "
    "made, then the book is made from nothing, then once more with nothing changed.",
    "execution": "The same small book each way, edited each way. jupyter-book keeps the old output "
    "after an edit of a library file: its cache knows only the notebook. Plain papermill keeps "
    "nothing. The last two rows are one notebook, from nothing to its end.",
    "serve": "From before the file is saved until a browser that has the page open shows the new "
    "words; `page` is a page of the book, `chapter` a chapter. `jupyter-book build` ends with "
    "files on disk, and you load the page yourself. The peers have the same pages as a stock "
    "Jupyter Book, executed already. The ratio is to our preview.",
    "site_weight": "The same executed chapters as a stock Jupyter Book with the settings that a "
    "new one has, from the same server, which compresses text. The marks are Lighthouse's, from 0 "
    "to 100, on its simulated phone. The ratio is of the bytes without pictures, to our page. "
    "Without a network, what other hosts would send is neither counted nor waited for, which "
    "flatters the stock pages.",
    "grading_speed": "One answer to a torch exercise after the other; see `chapterhouse grade`.",
    "recipes": "Each run of `python -m sprat.recipes NAME` has a seed of its own, starts its clock "
    "before it touches the data, and ends when the test split reaches the target; a run that does "
    "not reach it in its epochs has failed, and two failures make a result invalid. The rules and "
    "the form of the logs are MLPerf's, the tasks are not: **this is no MLPerf result**.",
    "cartpole": "The same policy of eight hidden units on the same cart. Gradients through the "
    "simulator need about a hundredth of the simulations that trial and error needs. The seconds "
    "say something else: a simulation that is differentiated costs more, and trial and error runs "
    "a hundred at once.",
}

#: What it means for a ratio to be small, where that is not being fast.
_LESS = {"site_weight": "lighter"}
#: What stands in the names of columns, and the unit that the column is in.
_UNITS = {"second": "s", "_ms": "ms", " ms": "ms", "MB": "MB", "KB": "KB", "times": "times"}


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Median, smallest and largest of some figures."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def save(
    name: str, what: str, rows: Mapping[str, Any], packages: Sequence[str], **more: Any
) -> None:
    """Store one benchmark's result with all that is needed to read it later.

    Args:
        name: of the file, and of the section on the page.
        what: what the figures are, with their units.
        rows: way → figure → value.
        packages: whose versions matter.
        **more: anything else worth keeping.
    """
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    result = {
        "what": what,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "commit": commit,
        **more,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def section(name: str, result: Mapping[str, Any]) -> str:
    """One benchmark as markdown: what it is, its table, and where it was measured."""
    rows: dict[str, dict[str, Any]] = result["rows"]
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    heads = [column.replace("_", " ") for column in columns]
    lines = [
        f"## {_TITLES.get(name, name.replace('_', ' ').capitalize())}",
        "",
        f"{result['what'][0].upper()}{result['what'][1:]}. {_NOTES.get(name, '')}".strip(),
        "",
        *(
            [f"![{plot_words(result)}](_static/benchmarks/{name}.svg)", ""]
            if has_plot(result)
            else []
        ),
        f"| | {' | '.join(heads)} |",
        f"|---|{'---:|' * len(heads)}",
        *(
            f"| {way} | {' | '.join(_cell(row.get(c)) for c in columns)} |"
            for way, row in rows.items()
        ),
        "",
    ]
    versions = ", ".join(f"{p} {v}" for p, v in result.get("versions", {}).items())
    where = [result["date"], result["machine"], f"Python {result['python']}", versions]
    if "device" in result:
        where.insert(2, result["device"])
    if "load_average" in result:
        where.append(f"load average {result['load_average']}")
    if result.get("commit"):
        where.append(f"commit {result['commit']}")
    cores = int(result["machine"].split()[0])
    busy = "The machine was busy with other work, so the figures scatter. "
    scatter = busy if result.get("load_average", 0) > cores else ""
    return "\n".join([*lines, f"{scatter}Measured {'; '.join(filter(None, where))}.", ""])


def has_plot(result: Mapping[str, Any]) -> bool:
    """Whether there are ratios worth a drawing."""
    return sum(isinstance(row.get("ratio"), Mapping) for row in result["rows"].values()) >= 3


def panels(result: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, float]]]:
    """The ratios by what was measured and way: ``LSTM: skorch`` is the way skorch of LSTM."""
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    for name, row in result["rows"].items():
        if isinstance(row.get("ratio"), Mapping):
            case, _, way = name.rpartition(": ")
            found.setdefault(case, {})[way] = row["ratio"]
    return found


def plot_words(result: Mapping[str, Any]) -> str:
    """What the drawing shows, for those who cannot see it."""
    parts = []
    for case, ways in panels(result).items():
        listed = ", ".join(f"{way} {ratio['median']:.2f}" for way, ratio in ways.items())
        parts.append(f"{case}: {listed}" if case else listed)
    return f"Bars of the median ratio to the first way. {'; '.join(parts)}."


def plot(name: str, result: Mapping[str, Any]) -> Path:
    """Draw the ratios, a panel a case, with the spread over the rounds, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Equal figures give equal files: no date in them, and names that do not change.
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path", "font.size": 9}):
        every = panels(result)
        most = max(len(ways) for ways in every.values())
        figure = Figure(figsize=(3.4 * len(every) + 1, 0.9 + 0.28 * most), layout="constrained")
        axes = figure.subplots(1, len(every), squeeze=False)[0]
        for ax, (case, ways) in zip(axes, every.items(), strict=True):
            medians = [ratio["median"] for ratio in ways.values()]
            low = [ratio["median"] - ratio["min"] for ratio in ways.values()]
            high = [ratio["max"] - ratio["median"] for ratio in ways.values()]
            colours = ["#1f5a94" if _is_ours(way) else "#8a8a8a" for way in ways]
            ax.barh(range(len(ways)), medians, xerr=(low, high), color=colours, ecolor="#333333")
            ax.axvline(1, color="#b5510f", linewidth=1)
            ax.set_yticks(range(len(ways)), list(ways))
            ax.invert_yaxis()
            ax.set(title=case, xlabel=f"ratio, less is {_LESS.get(name, 'faster')}")
        PLOTS.mkdir(parents=True, exist_ok=True)
        path = PLOTS / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})
    return path


def _is_ours(way: str) -> bool:
    return "sprat" in way or "chapterhouse" in way


def figures() -> list[tuple[str, float, str]]:
    """Every stored figure that has a unit: the words that name it, its value, its unit."""
    found = []
    for path in sorted(RESULTS.glob("*.json")):
        for way, row in json.loads(path.read_text())["rows"].items():
            for column, value in row.items():
                unit = _unit(column)
                median = value.get("median") if isinstance(value, Mapping) else value
                if unit and isinstance(median, (int, float)):
                    found.append((f"{path.stem}, {way}: {column}", float(median), unit))
    return found


def _unit(column: str) -> str:
    """The unit of a column by its name, such as ``wall_s`` or ``peak memory MB``."""
    if column.endswith(("_s", "seconds")):
        return "s"
    return next((unit for end, unit in _UNITS.items() if end in column), "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return f"{value['median']:g} ({value['min']:g}–{value['max']:g})"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def page() -> str:
    """The whole page; the benchmarks stand in the order of `_TITLES`, others after them."""
    found = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    order = [name for name in _TITLES if name in found] + sorted(set(found) - set(_TITLES))
    return "\n".join([_OPENING, *(section(name, found[name]) for name in order)])


if __name__ == "__main__":
    PAGE.write_text(page())
    for stored in sorted(RESULTS.glob("*.json")):
        measured = json.loads(stored.read_text())
        if has_plot(measured):
            print(f"drew {plot(stored.stem, measured).relative_to(ROOT)}")
    print(f"wrote {PAGE.relative_to(ROOT)}")
