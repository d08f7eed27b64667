"""Time to a target: every recipe in its fast size, ten runs each, in the manner of MLPerf.

Takes some minutes. ``--full NAME`` runs one recipe in its full size instead and keeps the other
rows. The logs of all runs stay in the folder that is printed.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from report import RESULTS, save, spread

from sprat import recipes
from sprat.recipes.protocol import Result, Run

WHAT = (
    "wall seconds from the first touch of the data to the target, and epochs: the mean of all runs "
    "without the fastest and the slowest, and of all of them median (smallest–largest); each run "
    "has its own seed"
)


def row(result: Result) -> dict[str, Any]:
    """One line of the page's table."""
    return {
        "target": result.target,
        "seconds": round(result.seconds, 1),
        "all_seconds": spread([run.seconds for run in result.runs], 1),
        "epochs": round(result.epochs, 1),
        "all_epochs": spread([float(run.epochs) for run in result.runs], 0),
        "runs": len(result.runs),
        "failed": sum(not run.reached for run in result.runs),
        "first_seed": result.runs[0].seed,
    }


def earlier(folder: Path) -> Result:
    """A result from its folder."""
    told = json.loads((folder / "summary.json").read_text())
    runs = tuple(Run(**run) for run in told["runs"])
    return Result(
        told["recipe"], told["size"], told["target"], runs, told["device"], told["threads"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", choices=recipes.names(), help="this one, in its full size")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="results of earlier runs, to be shown again")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="recipes-"))
    rows: dict[str, Any] = {}
    kept = RESULTS / "recipes.json"
    if arguments.full and kept.is_file():
        rows = json.loads(kept.read_text())["rows"]
    size = "full" if arguments.full else "fast"
    for name in [arguments.full] if arguments.full else recipes.names():
        place = folder / name
        if arguments.folder:
            result = earlier(place)
        else:
            result = recipes.run(
                name, size, runs=arguments.runs, folder=place, device=arguments.device
            )
        rows[f"{name}, {size}: {recipes.describe(name).data[size]}"] = row(result)
    print(f"logs: {folder}")
    save("recipes", WHAT, rows, ["torch", "sprat"], threads=arguments.threads)


if __name__ == "__main__":
    main()
