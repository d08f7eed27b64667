"""How a table of words and numbers becomes inputs and targets: one plan a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sprat.blocks import Continuous, Label, TableRow
from sprat.cells import cells_of, in_order
from sprat.datasets.frames import frame
from sprat.datasets.registry import Columns, Read
from sprat.datasets.splits import at_random, the_last
from sprat.rows import MISSING, Rows


@dataclass(frozen=True)
class Plan:
    """How a table becomes inputs and targets.

    Args:
        file: its name in the cache.
        target: the column to predict; rows without it are left out.
        without: columns that are not used.
        categories: columns of numbers that are names, such as a user's number.
        by: the column whose last rows are held out; by default rows are held out at random.
        test_share: the share of rows that is held out.
        more: adds columns to the raw ones, or mends them.
        all_known: categories are known for all rows beforehand, as the users of a shop are; else
            they are those of the training rows, and others count as missing.
    """

    file: str
    target: str
    without: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    by: str = ""
    test_share: float = 0.2
    more: Callable[[Columns], Columns] | None = None
    all_known: bool = False


def raw_columns(plan: Plan, read: Read) -> Columns:
    """The raw columns; R's numbers of rows are not among them."""
    table = frame(read(plan.file))
    table.pop("rownames", None)
    return table


def _used(plan: Plan, read: Read) -> Columns:
    """The columns of the rows whose target is known, in the order that the split asks for."""
    table = raw_columns(plan, read)
    if plan.more is not None:
        table = plan.more(table)
    known = ~_missing(table[plan.target])
    rows = np.flatnonzero(known)
    if plan.by:
        rows = rows[np.argsort(table[plan.by][rows], kind="stable")]
    return {name: column[rows] for name, column in table.items()}


def _places(plan: Plan, count: int, split: str) -> np.ndarray:
    choose = the_last if plan.by else at_random
    return choose(count, split, test_share=plan.test_share)


def _missing(column: np.ndarray) -> np.ndarray:
    """Where a column has no value."""
    if column.dtype == object:
        return np.array([cell is None or cell != cell or cell == "" for cell in column], dtype=bool)
    return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), dtype=bool)


def _block(plan: Plan, table: Columns) -> TableRow:
    """What the table's columns are, from the training rows."""
    train = _places(plan, len(table[plan.target]), "train")
    categorical, continuous, missing = [], [], []
    for name, column in table.items():
        if name == plan.target or name in plan.without:
            continue
        empty = _missing(column)
        if column.dtype == object or name in plan.categories:
            rows = np.arange(len(column)) if plan.all_known else train
            seen = in_order(cells_of(name, column[rows]))
            categorical.append((name, seen))
            if empty.any() or set(cells_of(name, column[~empty])) - set(seen):
                missing.append(name)
        else:
            continuous.append(name)
            if empty.any():
                missing.append(name)
    return TableRow(categorical, continuous, missing)


def _rows(block: TableRow, table: Columns, places: np.ndarray) -> Rows:
    codes, numbers = [], []
    for name, categories in block.categorical:
        code: dict[Any, int] = {category: i for i, category in enumerate(categories)}
        codes.append([code.get(cell, MISSING) for cell in cells_of(name, table[name][places])])
    for name in block.continuous:
        numbers.append(torch.from_numpy(table[name][places].astype(np.float32)))
    return Rows(
        torch.tensor(codes, dtype=torch.int64).T.contiguous() if codes
        else torch.zeros(len(places), 0, dtype=torch.int64),
        torch.stack(numbers, 1) if numbers else torch.zeros(len(places), 0),
    )  # fmt: skip


def parse(plan: Plan, classes: Sequence[str], read: Read, split: str) -> tuple[Rows, torch.Tensor]:
    """Inputs and targets of one split.

    Args:
        plan: of the table.
        classes: the names of labels; a target of numbers needs none.
        read: from a file's name to its content.
        split: ``"train"`` or ``"test"``.

    Returns:
        Rows, and int64 labels (N,) or float32 numbers (N, 1).
    """
    table = _used(plan, read)
    places = _places(plan, len(table[plan.target]), split)
    goal = table[plan.target][places]
    if goal.dtype == object:
        y = torch.tensor([classes.index(str(name)) for name in goal])
    else:
        y = torch.from_numpy(goal.astype(np.float32))[:, None]
    return _rows(_block(plan, table), table, places), y


def blocks(plan: Plan, kind: str, classes: Sequence[str], read: Read) -> tuple[Any, Any]:
    """The blocks of inputs and targets; categories are those that the data shows.

    Args:
        plan: of the table.
        kind: ``"Label"`` or ``"Continuous"``.
        classes: the names of labels, or of the number.
        read: from a file's name to its content.
    """
    target = Label(classes) if kind == "Label" else Continuous(1, tuple(classes))
    return _block(plan, _used(plan, read)), target
