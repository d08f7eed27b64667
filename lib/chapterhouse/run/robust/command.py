"""``chapterhouse robust``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from chapterhouse.course import Course
from chapterhouse.errors import CourseError
from chapterhouse.run.robust.matrix import DESIGNS, SEEDS

if TYPE_CHECKING:
    from chapterhouse.run.robust.matrix import Cell, Matrix
    from chapterhouse.run.robust.store import Summary


def add_command(subparsers: argparse._SubParsersAction) -> None:
    """Add ``robust``."""
    robust = subparsers.add_parser(
        "robust",
        help="try whether claims hold for other instruction sets, threads and seeds",
        description="Run chapters and pages over instruction sets, numbers of threads and seeds, "
        "and store how each claim's number is spread. What was run before and is fresh is not run "
        "again.",
    )
    robust.add_argument(
        "chapters",
        nargs="*",
        metavar="CHAPTER",
        help="a slug, a number or a path (default: every chapter and page)",
    )
    robust.add_argument(
        "--seeds",
        type=int,
        default=SEEDS,
        metavar="N",
        help=f"run the seeds 0 to N-1 (default {SEEDS}; with fewer, nothing is stored)",
    )
    robust.add_argument("--jobs", type=int, metavar="N", help="threads at once (default: cores)")
    robust.add_argument(
        "--design",
        choices=DESIGNS,
        default="half",
        help="run the full product, half of its runs with two threads (default), or a thin part in "
        "which each seed meets one instruction set",
    )
    robust.add_argument("--force", action="store_true", help="run what is kept, too")
    robust.add_argument(
        "--slice",
        action="store_true",
        help="run one cell of three notebooks, which the commit's hash chooses; store nothing",
    )
    robust.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    robust.set_defaults(action=_robust)


def _robust(arguments: argparse.Namespace) -> int:
    from chapterhouse.run.executor import select
    from chapterhouse.run.robust import processor, store, table
    from chapterhouse.run.robust.matrix import make_matrix
    from chapterhouse.run.robust.sweep import sweep

    course = Course.find(arguments.course)
    if arguments.seeds < 1:
        raise CourseError(
            f"--seeds is {arguments.seeds}; at least 1 was expected.", fix="leave it out"
        )
    paths = select(course, arguments.chapters)
    here = processor.ask()
    matrix = make_matrix(here.capability, seeds=range(arguments.seeds), design=arguments.design)
    screen = sys.stderr if arguments.json else sys.stdout
    cells = (_sample if arguments.slice else _all_cells)(course, paths, matrix, screen)
    storing = not arguments.slice and arguments.seeds >= SEEDS
    print(f"{here.model}: {'a slice of ' * arguments.slice}{matrix.told()}", file=screen)

    def finished(summary: Summary) -> None:
        if storing:
            store.save(summary, course)

    done = sweep(
        course,
        cells,
        matrix=matrix,
        here=here,
        jobs=arguments.jobs,
        force=arguments.force,
        screen=screen,
        finished=finished,
    )
    # From one run, no spread can be told: that every claim held is what a slice can say.
    good = _all_held(done.summaries) if arguments.slice else done.robust
    print(table.held(done) if arguments.slice else table.render(done), file=screen)
    if not arguments.slice and not storing:
        print(f"Nothing was stored: the rule asks for {SEEDS} seeds.", file=screen)
    if arguments.json:
        told = [summary.as_json() for summary in done.summaries]
        print(json.dumps({"wall_s": done.wall_s, "robust": good, "notebooks": told}, indent=1))
    return 0 if good else 1


def _all_cells(
    course: Course, paths: list[Path], matrix: Matrix, screen: TextIO
) -> dict[Path, list[Cell]]:
    """Every cell of the matrix; a notebook without a seed is run once for each of the others."""
    from chapterhouse.run.robust import work

    seeded = {path: work.usual_seed(course, path) is not None for path in paths}
    for path, has in seeded.items():
        if not has:
            print(f"{path.stem} has no parameter 'seed': it runs without.", file=screen)
    return {path: matrix.cells(path.stem, seeded=has) for path, has in seeded.items()}


def _sample(
    course: Course, paths: list[Path], matrix: Matrix, screen: TextIO
) -> dict[Path, list[Cell]]:
    from chapterhouse.run.robust import sample, store

    costs = {}
    for path in paths:
        if (summary := store.load(course, path.stem)) is not None:
            costs[path.stem] = summary.wall_s / max(summary.cells["run"], 1)
    chosen_by = sample.commit_or_week(course)
    print(f"The slice of {chosen_by[:12]}", file=screen)
    return sample.sample(course, paths, matrix, chosen_by=chosen_by, costs=costs)


def _all_held(summaries: tuple[Summary, ...]) -> bool:
    return all(
        not summary.errors and all(claim.held == claim.runs for claim in summary.claims)
        for summary in summaries
    )
