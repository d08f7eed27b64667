"""How long ``make book`` takes from a fresh clone, and how long with nothing changed.

The repository's last commit is cloned into a temporary folder. There the environment is made, the
book is made from nothing (every chapter is executed, then the site is built), and made again. Data
sets come from the cache, so that the network is not what is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import ROOT, save


def make(folder: Path, *command: str) -> float:
    """Wall seconds of a command in the clone; its output is shown only if it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(
            f"{' '.join(command)} failed in {folder}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return time.perf_counter() - began


def environment_target(folder: Path) -> str:
    """The name of the stamp that the Makefile makes the environment for."""
    printed = subprocess.run(
        ["make", "-n", "-p", "help"], cwd=folder, capture_output=True, text=True, check=False
    ).stdout
    line = next(line for line in printed.splitlines() if line.startswith("book: "))
    return line.split()[1]


def chapters(folder: Path) -> dict[str, dict[str, Any]]:
    """Time and memory of each chapter, as kept by the run."""
    done = subprocess.run(
        [folder / ".venv" / "bin" / "chapterhouse", "run", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        chapter["slug"]: {
            "seconds": round(chapter["wall_s"], 1),
            "processor_seconds": round(chapter["cpu_s"], 1),
            "peak_memory_MB": round(chapter["peak_memory_bytes"] / 1e6),
            "claims_held": chapter["claims"]["held"],
        }
        for chapter in json.loads(done.stdout)["chapters"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to clone to; a temporary folder")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        clone = Path(name) / "book"
        make(Path(name), "git", "clone", "-q", str(ROOT), str(clone))
        rows: dict[str, dict[str, Any]] = {}
        rows["make the environment"] = {
            "seconds": round(make(clone, "make", environment_target(clone)), 1)
        }
        rows["make book, fresh"] = {"seconds": round(make(clone, "make", "book"), 1)}
        rows["make book, nothing changed"] = {"seconds": round(make(clone, "make", "book"), 1)}
        rows |= chapters(clone)
    for way, row in rows.items():
        print(f"{way:30} {row['seconds']:7.1f} s  {row.get('peak_memory_MB', '')}")
    save(
        "book",
        "wall seconds to make the book in the `fast` profile, and what each chapter took of them",
        rows,
        ["torch", "papermill", "jupyter-book"],
    )


if __name__ == "__main__":
    main()
