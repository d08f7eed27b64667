"""``chapterhouse run`` and ``chapterhouse status``."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from typing import Any

from chapterhouse.course import Course


def add_command(subparsers: argparse._SubParsersAction) -> None:
    """Add ``run`` and ``status``."""
    run = subparsers.add_parser(
        "run",
        help="execute chapters, re-running only what a change can affect",
        description="Execute chapters with papermill, in parallel. A chapter whose code, "
        "parameters, library files, data and environment are as they were is not run again. A "
        "claim that does not hold stops nothing; it is listed at the end, and the exit code is 1.",
    )
    _add_selection(run)
    run.add_argument("--jobs", type=int, metavar="N", help="chapters at once (default: one a core)")
    run.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on the workers of this Dask scheduler, such as tcp://192.168.1.5:8786",
    )
    run.add_argument("--force", action="store_true", help="run even what is fresh")
    run.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    run.set_defaults(action=_run)

    status = subparsers.add_parser(
        "status",
        help="say which chapters are fresh, and why the others are stale",
        description="Say for each chapter whether its kept result is fresh, and if not, why.",
    )
    _add_selection(status)
    status.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    status.set_defaults(action=_status)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "chapters",
        nargs="*",
        metavar="CHAPTER",
        help="a slug, a number or a path (default: every chapter)",
    )
    parser.add_argument("--profile", default="fast", help="fast (default) or full")
    parser.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a name of the parameters cell; may be given again",
    )


def _run(arguments: argparse.Namespace) -> int:
    from chapterhouse.run.executor import run_course

    course = Course.find(arguments.course)
    with contextlib.ExitStack() as stack:
        settings: dict[str, Any] = {"jobs": arguments.jobs}
        if arguments.scheduler:
            from chapterhouse.run.cluster import connect

            cluster = stack.enter_context(connect(arguments.scheduler))
            settings = {"jobs": arguments.jobs or cluster.jobs, "execute": cluster}
        report = run_course(
            course,
            arguments.chapters,
            profile=arguments.profile,
            overrides=arguments.parameter,
            force=arguments.force,
            screen=sys.stderr if arguments.json else sys.stdout,
            **settings,
        )
    if arguments.json:
        print(json.dumps(report.as_json(), indent=1))
    return 1 if report.failed else 0


def _status(arguments: argparse.Namespace) -> int:
    from chapterhouse.run.status import inspect, render

    course = Course.find(arguments.course)
    rows = inspect(
        course, arguments.chapters, profile=arguments.profile, overrides=arguments.parameter
    )
    if arguments.json:
        print(json.dumps([row.as_json() for row in rows], indent=1))
    else:
        print(render(rows))
    return 0
