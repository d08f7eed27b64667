"""Sizes that a model is given: whole numbers of at least one, alone or in a list.

A file of its own, since every model needs it: what a chapter imports makes it run again.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from torch import nn

from sprat.errors import TaskError


def check_counts(model: nn.Module, **numbers: Any) -> None:
    """Refuse sizes that are not whole numbers of at least one.

    Raises:
        TaskError: which, what was found, what was expected.
    """
    for name, number in numbers.items():
        if not isinstance(number, Integral) or isinstance(number, bool) or number < 1:
            raise TaskError(
                f"{type(model).__name__} got {name}={number!r}; a whole number of at least 1 was "
                "expected.",
                fix=f"give one; task.in_channels and task.num_outputs are such, so {name}=1, say",
            )


def check_lists(model: nn.Module, *, length: int | None = None, **lists: Any) -> None:
    """Refuse what is no list of whole numbers of at least one, or has another length.

    Args:
        model: whose arguments they are.
        length: how many numbers each has to have; by default one or more.
        **lists: by the names of the arguments.

    Raises:
        TaskError: which, what was found, what was expected.
    """
    for name, numbers in lists.items():
        right = isinstance(numbers, Sequence) and not isinstance(numbers, str)
        if not right or len(numbers) != (length or max(len(numbers), 1)):
            wanted = f"{length} numbers were" if length else "a list of numbers was"
            raise TaskError(
                f"{type(model).__name__} got {name}={numbers!r}; {wanted} expected.",
                fix=f"write {name}=(28, 28)" if length else f"write {name}=(16, 32), with brackets",
            )
        for i, number in enumerate(numbers):
            check_counts(model, **{f"{name}[{i}]": number})
