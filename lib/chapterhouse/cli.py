"""The command line's frame: it assembles the rooms' commands and turns errors into exit codes.

Each room offers ``add_command(subparsers)`` in its ``command.py``. Such a function adds parsers
that have a help text and set ``action``: a function of the parsed arguments that returns the exit
code. Rooms import what is heavy inside their actions, so that ``chapterhouse --help`` stays quick.

Exit codes: 0 all is well, 1 something failed, 2 the input was wrong, 3 our own machinery broke,
130 and 143 the command was interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from chapterhouse.errors import ChapterhouseError, from_os_error

# One line a room; the order is the order in --help.
ROOMS = (
    "chapterhouse.run.command",
    "chapterhouse.run.robust.command",
    "chapterhouse.notebook_command",
    "chapterhouse.site.command",
    "chapterhouse.site.releases.command",
    "chapterhouse.grade.command",
)

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class _Terminated(KeyboardInterrupt):
    """SIGTERM, so that it takes the same tidy way out as Ctrl-C."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command that the rooms offer."""
    parser = argparse.ArgumentParser(
        prog="chapterhouse", description="Run, build, check and grade a course of notebooks."
    )
    parser.add_argument("--version", action="version", version=f"chapterhouse {_version()}")
    parser.add_argument(
        "--course",
        type=Path,
        metavar="FOLDER",
        help="the course's folder (default: the nearest one above this folder)",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for room in ROOMS:
        importlib.import_module(room).add_command(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake never shows a traceback."""
    arguments = build_parser().parse_args(argv)
    previous = _terminate_like_interrupt()
    try:
        return int(arguments.action(arguments))
    except ChapterhouseError as error:
        print(f"chapterhouse: {error}", file=sys.stderr)
        return error.exit_code
    except _Terminated:
        print("chapterhouse: terminated.", file=sys.stderr)
        return TERMINATED
    except KeyboardInterrupt:
        print("chapterhouse: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away (`chapterhouse status | head`): nobody is left to tell.
        sys.stderr.close()
        return 1
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name in ("", "sprat", "chapterhouse"):
            raise  # ours to mend
        print(
            f"chapterhouse: this command needs {name}, which is not installed.\n"
            "  fix: pip install 'sprat[book]'",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        print(f"chapterhouse: {from_os_error(error)}", file=sys.stderr)
        return 1
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)


def _terminate_like_interrupt() -> Any:
    """Let SIGTERM unwind the stack, so that kernels die and temporary files go; None off-thread."""

    def handler(number: int, frame: FrameType | None) -> NoReturn:
        raise _Terminated

    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:  # not in the main thread, as in some tests
        return None


def _version() -> str:
    try:
        return metadata.version("sprat")
    except metadata.PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
