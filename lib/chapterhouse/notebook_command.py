"""``chapterhouse notebook``: keep stored notebooks to the house rules."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chapterhouse import notebook
from chapterhouse.errors import NotebookError


def add_command(subparsers: argparse._SubParsersAction) -> None:
    """Add ``notebook clean`` and ``notebook check``."""
    parser = subparsers.add_parser(
        "notebook",
        help="check or clean stored notebooks",
        description="Check or clean stored notebooks: no outputs, stable cell ids, one parameters "
        "cell, the python3 kernel.",
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb, action, text in (
        ("clean", _clean, "strip outputs and tool marks, in place"),
        ("check", _check, "say which house rules each notebook breaks; exit 1 if any does"),
    ):
        command = verbs.add_parser(verb, help=text, description=text.capitalize() + ".")
        command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a notebook")
        command.set_defaults(action=action)


def _clean(arguments: argparse.Namespace) -> int:
    for path in arguments.files:
        changed = notebook.clean_file(path)
        print(f"{path}: {'cleaned' if changed else 'was clean'}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    worst = 0
    for path in arguments.files:
        try:
            found = notebook.faults(notebook.read(path))
        except NotebookError as error:  # the others are still checked
            print(f"chapterhouse: {error}", file=sys.stderr)
            worst = error.exit_code
            continue
        worst = max(worst, int(bool(found)))
        for fault in found:
            print(f"{path} {fault}")
    return worst
