"""A small sample of the matrix, another one at each commit: for continuous integration.

The commit's hash chooses it, so whoever runs the same commit runs the same sample; where there is
no git it is the week. Over the commits the whole matrix is seen again and again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from chapterhouse.course import Course
from chapterhouse.run.robust import work
from chapterhouse.run.robust.matrix import Cell, Matrix

NOTEBOOKS = 3
BUDGET_S = 60.0  # of one notebook after another, by what cells have cost before


def sample(
    course: Course,
    paths: Sequence[Path],
    matrix: Matrix,
    *,
    chosen_by: str,
    costs: Mapping[str, float],
) -> dict[Path, list[Cell]]:
    """A few notebooks, each in one cell: another instruction set and another seed than usual.

    Args:
        course: whose notebooks.
        paths: those to choose from.
        matrix: the cells to choose from.
        chosen_by: a text that decides.
        costs: slug → seconds that a cell of it takes; those that are not there may cost anything.

    Returns:
        One cell for each of at most `NOTEBOOKS` notebooks that together keep to `BUDGET_S`; the
        first is taken whatever it costs, unless a cheaper one is there.
    """
    draw = random.Random(hashlib.sha256(chosen_by.encode()).digest())
    others = [isa for isa in matrix.isas if isa != "native"] or list(matrix.isas)
    isa, pick = draw.choice(others), draw.randrange(len(matrix.seeds))
    # Without another instruction set, another number of threads is what can differ.
    threads = matrix.threads[0] if isa != "native" else matrix.threads[-1]
    order = draw.sample(list(paths), len(paths))
    order.sort(key=lambda path: costs.get(path.stem, 0.0) > BUDGET_S)  # stable: too dear goes last
    taken: dict[Path, list[Cell]] = {}
    spent = 0.0
    for path in order:
        cost = costs.get(path.stem, BUDGET_S / NOTEBOOKS)
        if taken and (len(taken) == NOTEBOOKS or spent + cost > BUDGET_S):
            continue
        spent += cost
        usual = work.usual_seed(course, path)
        another = [each for each in matrix.seeds if each != usual] or list(matrix.seeds)
        seed = None if usual is None else another[pick % len(another)]
        taken[path] = [Cell(path.stem, isa, threads, seed)]
    return {path: taken[path] for path in paths if path in taken}


def commit_or_week(course: Course) -> str:
    """What decides: the hash of the commit, or the week where there is no git."""
    return course.git("rev-parse", "HEAD") or _week()


def _week() -> str:
    year, week, _ = datetime.now(UTC).isocalendar()
    return f"{year}-{week:02d}"
