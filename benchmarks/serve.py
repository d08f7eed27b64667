"""How long an author waits for a page of the preview after saving prose.

The book as it stands is copied to a temporary folder with its executed chapters and built there.
Then, in turns, a sentence is added to a page and to a chapter, and what `chapterhouse serve` does
between finding the change and telling the browser is timed: the page is renewed by itself. For
comparison the same kind of edit is followed by a whole build, ``chapterhouse run`` and ``site``.
Finding a change takes another fifth of a second at most.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import ROOT, save, spread

from chapterhouse.course import Course
from chapterhouse.site import quick, serve

PAGE, CHAPTER = "book/how_to_read.md", "chapters/04_under_the_hood.ipynb"


def copy(folder: Path) -> Course:
    """The tracked files and the executed chapters, in a folder where nobody else builds."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in ("executed", "history"):
        shutil.copytree(ROOT / "_build" / name, folder / "_build" / name)
    return Course.find(folder)


def edit(path: Path, words: str) -> None:
    """Add a sentence to a page, or to the first text of a chapter."""
    if path.suffix == ".md":
        path.write_text(f"{path.read_text()}\n{words}\n")
        return
    notebook = json.loads(path.read_text())
    cell = notebook["cells"][0]
    cell["source"] = "".join(cell["source"]) + f"\n\n{words}"
    path.write_text(json.dumps(notebook, indent=1) + "\n")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall seconds of a call, and what it returned."""
    began = time.perf_counter()
    result = work()
    return round(time.perf_counter() - began, 2), result


def measure(course: Course, rounds: int) -> dict[str, list[float]]:
    """Seconds from an edit to the renewed page, and to the whole site, round by round."""
    seconds: dict[str, list[float]] = {"page": [], "chapter": [], "whole build": []}
    helper = quick.Helper(course, "fast")
    helper.refresh()
    try:
        for number in range(rounds):
            for kind, name in (("page", PAGE), ("chapter", CHAPTER)):
                edit(course.root / name, f"These words are number {number}.")
                took_s, answer = timed(helper.refresh)
                if answer.get("pages") != [name.rpartition(".")[0]]:
                    sys.exit(f"{name} was not renewed: {answer}")
                seconds[kind].append(took_s)
            seen = serve.snapshot(course)
            took_s, _ = timed(lambda: serve.rebuild(course, profile="fast", say=print))
            seconds["whole build"].append(took_s)
            if serve.snapshot(course) != seen:
                sys.exit("the build changed a watched file")
    finally:
        helper.close()
    return seconds


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        course = copy(Path(folder))
        if not serve.rebuild(course, profile="fast", say=print):
            sys.exit("the book could not be built")
        seconds = measure(course, arguments.rounds)
    for name, values in seconds.items():
        print(f"{name}: {values} s")
    rows = {
        name: {"seconds": spread(values, 2), "ratio": spread(ratios, 2)}
        for name, values in seconds.items()
        for ratios in [[a / b for a, b in zip(values, seconds["whole build"], strict=True)]]
    }
    what = "Seconds from a saved edit of prose to the page that shows it."
    save("serve", what, rows, ["sphinx", "jupyter-book", "myst-nb"], rounds=arguments.rounds)


if __name__ == "__main__":
    main()
