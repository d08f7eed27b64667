"""From rendered pages to the published folder: assemble beside it, check, then swap.

What a reader may be reading is never half a site: a build that fails leaves the published one as
it was.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import ExerciseError, NotebookError, SiteError
from chapterhouse.exercise import student
from chapterhouse.install_cell import WheelSource
from chapterhouse.site import (
    colab,
    executed,
    facts,
    live,
    offline,
    reading,
    recorded,
    references,
    render,
    search,
    settings,
    wheel,
)
from chapterhouse.site.gaps import PLAIN_NUMBER
from chapterhouse.site.releases import marks
from chapterhouse.site.settings import SiteSettings
from chapterhouse.site.slim import slim
from chapterhouse.site.stage import Staged
from chapterhouse.site.wheel import Wheel

# Jupyter Book writes these, and no page loads them: 1.6 MB of icon script (the style sheet has the
# icons as a font), maps for debugging the theme, its translations, its own build records.
_NEEDLESS = re.compile(
    r"(\.map$|fontawesome\.js(\.LICENSE\.txt)?$|/locales/|^\.buildinfo|^_sphinx_design_static/"
    r"|webpack-macros|thebe|mathjax/)"
)
_ICON_SCRIPT = re.compile(
    r"[ \t]*<!-- So that users can add custom icons -->\s*\n?[^\n]*fontawesome\.js[^\n]*\n"
)
_LANDING = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={page}.html">
{icon}<title>{title}</title>
</head>
<body><p><a href="{page}.html">{title}</a></p></body>
</html>
"""


def assemble(
    course: Course, site: SiteSettings, staged: Staged, rendered: Path, made: Wheel
) -> Path:
    """Put the whole site together in a folder beside the published one, and return it.

    Raises:
        SiteError: the wheel cannot be made; in a strict build also if a notebook of the Colab
            edition can't.
    """
    folder = course.build / "site" / "next"
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(rendered.rglob("*")):
        relative = path.relative_to(rendered).as_posix()
        if not path.is_file() or _NEEDLESS.search(relative):
            continue
        if relative.startswith(live.FOLDER) and f"book/{relative}" not in staged.files:
            continue  # of an earlier run: Sphinx never takes away what it has copied
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".html":
            target.write_text(without_icon_script(path.read_text(encoding="utf-8")), "utf-8")
        else:
            shutil.copy2(path, target)
    (folder / "index.html").write_text(_front_door(site), encoding="utf-8")
    built = wheel.build(course, made, folder / "wheels")
    source = colab.wheel_source(site, made, built.read_bytes())
    _notebooks(course, site, staged, rendered, source, folder)
    reading.dress(folder, site, chapters=course.chapters.name)
    marks.dress(folder, site)
    search.add(folder)
    slim(folder, site, course.build / "site" / "pictures")
    offline.add_sitemap(folder, site)
    marks.describe(folder, site)
    return folder


def without_icon_script(html: str) -> str:
    """A page without the theme's script of icons, which the style sheet has as a font."""
    return _ICON_SCRIPT.sub("", html)


def _front_door(site: SiteSettings) -> str:
    """The page at the site's own address, which leads to the landing page."""
    # Without an icon of its own a browser would ask for one that isn't there.
    name = escape(site.favicon.rpartition("/")[2])
    icon = f'<link rel="icon" href="_static/{name}">\n' if name else ""
    return _LANDING.format(page=escape(site.root_page), title=escape(site.title), icon=icon)


def _notebooks(
    course: Course,
    site: SiteSettings,
    staged: Staged,
    rendered: Path,
    source: WheelSource,
    folder: Path,
) -> None:
    """The Colab edition of every chapter, and the notebooks of their exercises."""
    found = references.load(course, site, rendered)
    runs = {run.slug: recorded.values(run) for run in (*staged.chapters, *staged.pages)}
    for run in staged.chapters:
        page = f"{run.source_path.parent.name}/{run.slug}"
        number = staged.gaps.number(PLAIN_NUMBER)
        options: dict[str, Any] = {"page": page, "references": found, "wheel": source}
        try:
            notebook = colab.edition(course, site, run, runs, absent=number, **options)
        except (SiteError, NotebookError, ExerciseError) as error:
            staged.gaps.note(error)
            notebook = nb.strip(run.source)
        nb.write(notebook, folder / facts.notebook_path(run.slug))
        if run.slug in staged.exercise_chapters:
            try:
                exercises = student.build(course, run.slug, base_url=site.base_url, wheel=source)
            except ExerciseError as error:
                staged.gaps.note(error)
                continue
            nb.write(exercises, folder / facts.exercises_path(run.slug))
    for name, picture in found.pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder / name)


def one_notebook(course: Course, chapter: str, target: Path, *, profile: str) -> Path:
    """Write the Colab edition of one chapter to `target`.

    References are those of the last rendered site; without one, links keep their words only.

    Raises:
        CourseError: there is no such chapter.
        SiteError: it was not executed, or raw MyST would be left.
    """
    site = settings.load(course)
    rendered = render.output_folder(course)
    runs = [
        executed.load(course, path, profile=profile)
        for path in course.chapter_paths()
        if path == course.chapter_path(chapter)
    ]
    described = wheel.describe(course)
    with tempfile.TemporaryDirectory() as folder:
        content = wheel.build(course, described, Path(folder)).read_bytes()
    made = colab.edition(
        course,
        site,
        runs[0],
        {run.slug: recorded.values(run) for run in runs},
        page=f"{course.chapters.name}/{runs[0].slug}",
        references=references.load(course, site, rendered),
        wheel=colab.wheel_source(site, described, content),
    )
    nb.write(made, target)
    return target


def swap(folder: Path, published: Path) -> None:
    """Let `folder` take the place of `published`."""
    old = folder.with_name("previous")
    shutil.rmtree(old, ignore_errors=True)
    try:
        if published.exists():
            published.rename(old)
        folder.rename(published)
    except BaseException as error:  # also an end that is asked for between the two
        if old.exists() and not published.exists():
            old.rename(published)
        if not isinstance(error, OSError):
            raise
        raise SiteError(
            f"The site could not be put in {published}: {error.strerror}.",
            fix="check who owns that folder",
        ) from None
    shutil.rmtree(old, ignore_errors=True)
