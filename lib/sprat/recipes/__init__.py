"""Recipes: training runs to a target, timed in the manner of MLPerf, that you can repeat.

    result = sprat.recipes.run("image", "fast", runs=10, folder="runs/image")

or, in a shell, ``python -m sprat.recipes image --size fast``. Each run begins with untouched data
and ends when the test split says that the target is reached; its log and the result of all runs are
in the folder. ``protocol.py`` tells the rules.
"""

import difflib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch

from sprat.errors import TrainingError
from sprat.recipes.protocol import Result, Run
from sprat.recipes.protocol import run as run_all
from sprat.recipes.recipe import Recipe, Settings

__all__ = ["Recipe", "Result", "Run", "Settings", "describe", "names", "run"]

_NAMES = ("graph", "image", "ratings", "text")


def names() -> list[str]:
    """The names of the recipes."""
    return list(_NAMES)


def describe(name: str) -> Recipe:
    """A recipe: what it learns from, its sizes and their targets.

    Raises:
        TrainingError: there is no recipe of that name.
    """
    if name not in _NAMES:
        close = difflib.get_close_matches(str(name), _NAMES, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise TrainingError(
            f"No recipe is called {name!r}.{guess}", fix=f"use one of {', '.join(_NAMES)}"
        )
    recipe: Recipe = import_module(f"sprat.recipes.{name}").RECIPE
    return recipe


def run(
    name: str,
    size: str = "fast",
    *,
    runs: int = 10,
    seed: int = 0,
    folder: str | Path,
    device: torch.device | str = "auto",
    say: Callable[[str], None] = print,
) -> Result:
    """Run a recipe several times, each time with another seed.

    Args:
        name: one of `names`.
        size: ``"fast"`` takes a minute at most a run on one core; ``"full"`` takes minutes.
        runs: how many; the result is valid with three or more, and MLPerf asks for ten.
        seed: of the first run; each further one has the next number.
        folder: where logs and result go.
        device: ``"auto"`` is CUDA, then MPS, then CPU.
        say: called with a line after each run.

    Returns:
        The result; ``result.seconds`` is the time to the target.

    Raises:
        TrainingError: there is no such recipe or size, `runs` is none, or the folder has results.
        DataError: the data can't be had.
    """
    recipe = describe(name)
    if size not in recipe.sizes:
        raise TrainingError(
            f"The recipe {name!r} has no size {size!r}.",
            fix=f"use one of {', '.join(recipe.sizes)}",
        )
    if runs < 1:
        raise TrainingError(f"{runs} runs are none.", fix="ask for at least one; ten are usual")
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise TrainingError(
            f"{target} is no empty folder.", fix="name a new one, so that no result is overwritten"
        )
    seeds = range(seed, seed + runs)
    return run_all(recipe, size, seeds, target, device=device, say=say)
