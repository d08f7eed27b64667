"""``chapterhouse site``, ``pdf``, ``colab``, ``wheel`` and ``serve``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chapterhouse.course import Course

if TYPE_CHECKING:
    from chapterhouse.site.build import SiteReport


def add_command(subparsers: argparse._SubParsersAction) -> None:
    """Add ``site``, ``pdf``, ``colab``, ``wheel`` and ``serve``."""
    site = subparsers.add_parser(
        "site",
        help="build the website from executed chapters",
        description="Build the website into _build/html with Jupyter Book: executed chapters, "
        "book pages, the Colab edition and the wheel. A chapter that failed, or a warning, stops "
        "nothing: the page says so, and the exit code is 1.",
    )
    _add_profile(site)
    site.add_argument(
        "--version",
        default="",
        help="build the site of this version, such as 1.2, to stand beside others "
        "(see chapterhouse release)",
    )
    site.add_argument(
        "--strict",
        action="store_true",
        help="refuse what should not be published: failed chapters and any warning; "
        "--version implies it",
    )
    site.add_argument("--force", action="store_true", help="render every page again")
    site.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    site.set_defaults(action=_site)

    pdf = subparsers.add_parser(
        "pdf",
        help="print the built site as one PDF",
        description="Print the site in _build/html as one PDF with contents, in the order of "
        "_toc.yml. Needs Chromium or Chrome ($CHROMIUM names another one) and pypdf.",
    )
    pdf.add_argument("-o", "--output", type=Path, help="default: _build/ and the book's name")
    pdf.set_defaults(action=_pdf)

    colab = subparsers.add_parser(
        "colab",
        help="make the Colab edition of one chapter",
        description="Make one chapter's notebook for Colab: plain markdown, absolute addresses, "
        "an install cell, no outputs. `chapterhouse site` makes all of them.",
    )
    colab.add_argument("chapter", help="a slug, a number or a path")
    _add_profile(colab)
    colab.add_argument("-o", "--output", type=Path, required=True, help="the notebook to write")
    colab.set_defaults(action=_colab)

    wheel = subparsers.add_parser(
        "wheel",
        help="build the wheel of the present source",
        description="Build the wheel that the Colab edition installs. Its version carries the "
        "commit; equal sources give equal bytes.",
    )
    wheel.add_argument(
        "-o", "--output", type=Path, default=Path("dist"), metavar="FOLDER", help="default: dist"
    )
    wheel.set_defaults(action=_wheel)

    serve = subparsers.add_parser(
        "serve",
        help="show the site on this machine and rebuild it on change",
        description="Serve _build/html on this machine only, and run and build again whenever a "
        "chapter, a page, an exercise or the library changes. Ctrl-C ends it.",
    )
    _add_profile(serve)
    serve.add_argument("--port", type=int, default=8000, help="default: 8000; 0 takes a free one")
    serve.add_argument("--no-rebuild", action="store_true", help="only serve what is built")
    serve.set_defaults(action=_serve)


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="fast", help="which run to show: fast or full")


def _say(step: str) -> None:
    print(f"  {step}", file=sys.stderr, flush=True)


def _site(arguments: argparse.Namespace) -> int:
    from chapterhouse.site import build

    course = Course.find(arguments.course)
    report = build.build(
        course,
        profile=arguments.profile,
        version=arguments.version,
        force=arguments.force,
        strict=arguments.strict or bool(arguments.version),
        say=_say,
    )
    if arguments.json:
        print(json.dumps(report.as_json()))
    else:
        state = "built" if report.rebuilt else "up to date"
        version = f"version {report.version}, " if report.version else ""
        print(f"{report.folder / 'index.html'}: {version}{state}, {report.pages} pages")
    if not report.is_sound:
        print(_faults(report), file=sys.stderr)
    return 0 if report.is_sound else 1


def _faults(report: SiteReport) -> str:
    """What a site must not be published with, as a table for a person."""
    lines = ["chapterhouse: the site is whole, but not fit to be published:"]
    width = max((len(page) for page, _ in report.broken), default=0)
    lines += [f"  {page:{width}}  {told}" for page, told in report.broken]
    lines += [f"  {warning}" for warning in report.warnings]
    return "\n".join([*lines, "  fix: mend what is named, then `make book`"])


def _pdf(arguments: argparse.Namespace) -> int:
    from chapterhouse.site import offline, pdf, settings
    from chapterhouse.site.releases import marks

    course = Course.find(arguments.course)
    site = settings.load(course, marks.version_of(course.build / "html"))
    name = Path(offline.zip_path(site)).stem
    target = arguments.output or course.build / f"{name}.pdf"
    sheets = pdf.make(course.build / "html", site, target, say=_say)
    print(f"{target}: {sheets} sheets")
    return 0


def _colab(arguments: argparse.Namespace) -> int:
    from chapterhouse.site import publish

    course = Course.find(arguments.course)
    path = publish.one_notebook(
        course, arguments.chapter, arguments.output, profile=arguments.profile
    )
    print(path)
    return 0


def _wheel(arguments: argparse.Namespace) -> int:
    from chapterhouse.site import wheel

    course = Course.find(arguments.course)
    print(wheel.build(course, wheel.describe(course), arguments.output))
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from chapterhouse.site import serve

    course = Course.find(arguments.course)
    serve.serve(
        course,
        port=arguments.port,
        profile=arguments.profile,
        watch=not arguments.no_rebuild,
        say=lambda line: print(line, flush=True),
    )
    return 0
