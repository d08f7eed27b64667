"""The student's own check: visible cases, in the notebook's own kernel, at once.

It runs the student's code in the student's process, so it proves nothing to anyone else; the grader
judges by the same checkers, in its sandbox, with fresh inputs and hidden cases.
"""

from __future__ import annotations

import copy
import random
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from chapterhouse.exercise.compare import same
from chapterhouse.exercise.values import printable, short
from chapterhouse.exercise.visible import Visible, loads


class Check:
    """Checks answers against the visible cases that a notebook carries.

    The notebook's setup cell calls `load`; each check cell calls the object itself.
    """

    def __init__(self) -> None:
        self._cases: dict[str, tuple[Visible, ...]] = {}

    def load(self, exercise: str, cases: str) -> None:
        """Keep the visible cases of one exercise, as the JSON text that `visible.dumps` wrote."""
        self._cases[exercise] = loads(cases)

    def __call__(self, exercise: str, namespace: Mapping[str, Any]) -> None:
        """Print how the answer in `namespace`, usually ``globals()``, does on each visible case."""
        if exercise not in self._cases:
            known = ", ".join(self._cases) or "none"
            print(
                f"The notebook has no cases for {exercise!r} (it has: {known}). "
                "Run the first cell of this notebook, then this one again."
            )
            return
        faults = [(case.name, run_case(case, namespace)) for case in self._cases[exercise]]
        for name, fault in faults:
            print(f"  ✔ {name}" if fault is None else f"  ✘ {name}")
            for line in (fault or "").splitlines():
                print(f"      {line}")
        passed = sum(fault is None for _, fault in faults)
        more = " Hidden cases are run when you hand in." if passed == len(faults) else ""
        print(f"Visible cases that pass: {passed} of {len(faults)}.{more}")


def run_case(case: Visible, namespace: Mapping[str, Any]) -> str | None:
    """None when the answer passes one case, else what is wrong, in a few lines."""
    if case.target not in namespace:
        return f"{case.target} is not defined. Run the cell above that defines it."
    args, kwargs = copy.deepcopy(case.args), copy.deepcopy(case.kwargs)
    shown = f"{case.target}({', '.join([short(a, 80) for a in case.args])})"
    try:
        if case.seed is not None:
            _seed(case.seed)
        target = namespace[case.target]
        value = target(*args, **kwargs) if callable(target) else target  # as the grader does
        if case.steps:
            made = value
            value = [
                copy.deepcopy(_step(made, name, step_args, step_kwargs))
                for name, step_args, step_kwargs in copy.deepcopy(case.steps)
            ]
    except NotImplementedError as error:
        return printable(f"Not written yet: {error}")
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1].line
        where = printable(f" at `{line}`") if line else ""
        return f"{shown}\nraised {type(error).__name__}{where}: {printable(str(error))}"
    return _fault(case, value, (args, kwargs), shown)


def _step(made: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    attribute = getattr(made, name)
    return attribute(*args, **kwargs) if callable(attribute) else attribute


def _fault(case: Visible, value: Any, used: tuple[Any, Any], shown: str) -> str | None:
    try:
        fault = case.check(value, case.expected, case.args)
        if fault is not None:
            values = f"gave     {short(value)}\nexpected {short(case.expected)}"
            text = f"{fault[:1].upper()}{fault[1:]}.\n{shown}\n{values}"
            return f"{text}\n{case.message}".rstrip()
    except Exception as error:  # a value of the student's own type may fail anywhere
        return f"The value that {shown} gave cannot be compared ({type(error).__name__})."
    if case.keep_inputs and same(used, (case.args, case.kwargs)) is not None:
        return "The value is right, but an argument was changed in place."
    return None


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


check = Check()
