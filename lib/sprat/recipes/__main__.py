"""``python -m sprat.recipes``: run a recipe from a shell. The exit code is 0 for a valid result,
1 for one that is not, and 2 for a mistake in the command or a run that could not be made.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from sprat import recipes
from sprat.errors import SpratError


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:8} {recipes.describe(name).about}" for name in recipes.names())
    parser = argparse.ArgumentParser(
        prog="python -m sprat.recipes",
        description="Train to a target several times and tell how long it takes, in the manner of "
        "MLPerf. What comes out is not an MLPerf result.",
        epilog=f"recipes:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", help=f"one of {', '.join(recipes.names())}")
    parser.add_argument(
        "--size", "--profile", default="fast", help="fast (the default) or full", metavar="SIZE"
    )
    parser.add_argument("--runs", type=int, default=10, help="how many (10)")
    parser.add_argument("--seed", type=int, default=0, help="of the first run (0)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, … (auto)")
    parser.add_argument("--threads", type=int, help="of the processor (as torch chooses)")
    parser.add_argument("--folder", type=Path, help="for logs and result (recipe-runs/…)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what follows the program's name; by default the command line.

    Returns:
        The exit code.
    """
    asked = _parser().parse_args(arguments)
    if asked.threads is not None and asked.threads < 1:
        print(f"error: {asked.threads} threads are none\n  fix: ask for at least one",
              file=sys.stderr)  # fmt: skip
        return 2
    if asked.threads:
        torch.set_num_threads(asked.threads)
    now = datetime.datetime.now(tz=datetime.UTC).strftime("%Y%m%d-%H%M%S")
    folder = asked.folder or Path("recipe-runs") / f"{asked.recipe}-{asked.size}-{now}"
    try:
        result = recipes.run(
            asked.recipe,
            asked.size,
            runs=asked.runs,
            seed=asked.seed,
            folder=folder,
            device=asked.device,
            say=lambda line: print(line, flush=True),
        )
    except SpratError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(result)
    print(f"logs and result: {folder}")
    return 0 if result.valid else 1


if __name__ == "__main__":
    sys.exit(main())
