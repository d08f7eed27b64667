"""``chapterhouse exercise list`` and ``student``: what needs no sandbox."""

from __future__ import annotations

import argparse
from pathlib import Path

from chapterhouse.course import Course


def add_list(subparsers: argparse._SubParsersAction) -> None:
    """Add ``exercise list``."""
    text = "list the exercises, with points and cases"
    parser = subparsers.add_parser("list", help=text, description=text.capitalize() + ".")
    parser.add_argument("chapter", nargs="?", metavar="CHAPTER", help="only this chapter's")
    parser.set_defaults(action=_list)


def add_student(subparsers: argparse._SubParsersAction) -> None:
    """Add ``exercise student``."""
    parser = subparsers.add_parser(
        "student",
        help="make the notebook that students get",
        description="Make the notebook that students get: one a chapter, with prompts, starters, "
        "checks and the visible cases inside.",
    )
    parser.add_argument("chapter", metavar="CHAPTER", help="a chapter's slug or number")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where to write it (default: here)"
    )
    parser.add_argument("--base-url", default="", help="the site's public address")
    parser.add_argument("--wheel-url", help="where the site's wheel is, for the setup cell")
    parser.set_defaults(action=_student)


def _list(arguments: argparse.Namespace) -> int:
    from chapterhouse.exercise.folder import load_all

    for exercise in load_all(Course.find(arguments.course), chapter=arguments.chapter):
        cases = (
            f"{len(exercise.cases(0))} cases" if exercise.kind == "auto" else "a person marks it"
        )
        stars = "●" * exercise.difficulty
        print(
            f"{exercise.id:32} {exercise.points:4g} points  {stars:3}  {cases:18} {exercise.title}"
        )
    return 0


def _student(arguments: argparse.Namespace) -> int:
    from chapterhouse import notebook
    from chapterhouse.exercise import student
    from chapterhouse.install_cell import WheelSource

    made = student.build(
        Course.find(arguments.course),
        arguments.chapter,
        base_url=arguments.base_url,
        wheel=WheelSource("sprat", address=arguments.wheel_url or ""),
    )
    output = arguments.output or Path(made.metadata["chapterhouse"]["file"])
    notebook.write(made, output)
    print(f"wrote {output}")
    return 0
