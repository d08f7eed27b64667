"""The site, from executed chapters to a published folder, doing only what a change asks for.

Three keys decide: that of the staged tree (is Sphinx needed at all?), that of everything that goes
into the site, and the list of published files (is the output whole?).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from chapterhouse import notebook as nb
from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import banner, check, offline, publish, render, settings, wheel
from chapterhouse.site.measured.claims import page_of
from chapterhouse.site.stage import Staged, stage

_TOOLS = (
    "jupyter-book", "sphinx", "myst-parser", "myst-nb", "sphinx-book-theme", "sphinx-exercise",
    "sphinx-proof", "sphinxcontrib-bibtex", "sphinxcontrib-katex", "quickjs",
)  # fmt: skip


@dataclass(frozen=True)
class SiteReport:
    """What one build did: where the site is, its pages, and how long it took in seconds.

    `broken` has what is wrong with a page's run, by page, and `warnings` what else a strict build
    refuses.
    """

    folder: Path
    pages: int
    notebooks: int
    wheel: str
    rebuilt: bool
    wall_s: float
    version: str = ""
    broken: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether the site may be published."""
        return not (self.broken or self.warnings)

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "folder": str(self.folder),
            "pages": self.pages,
            "notebooks": self.notebooks,
            "wheel": self.wheel,
            "rebuilt": self.rebuilt,
            "wall_s": round(self.wall_s, 3),
            "version": self.version or None,
            "broken": [{"page": page, "told": told} for page, told in self.broken],
            "warnings": list(self.warnings),
        }


def build(
    course: Course,
    *,
    profile: str = "fast",
    version: str = "",
    force: bool = False,
    strict: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> SiteReport:
    """Build the site of a course, or find that it is up to date.

    Args:
        course: whose site to build; its chapters must have been executed.
        profile: which executed copies to show.
        version: what the site is built for, if it shall stand beside other versions.
        force: render every page again.
        strict: refuse whatever should not be published, and leave the published site as it was.
            Otherwise the site is built all the same, and the report says what is wrong with it.
        say: is told each step as it begins.

    Raises:
        SiteError: anything that would make a site that is not whole; in a strict build also
            failed runs and warnings.
    """
    begun = time.perf_counter()
    with alone(course, say):
        site = settings.load(course, version)
        say("staging executed chapters")
        staged = stage(course, site, profile=profile, strict=strict)
        made = wheel.describe(course)
        keys = _keys(course, staged, made, site.version)
        state_path = course.build / "site" / "state.json"
        state = _read_state(state_path)
        published = course.build / "html"
        rebuilt = force or state.get("site") != keys["site"] or not _whole(published, state)
        if rebuilt:
            rendered = render.output_folder(course)
            if force or state.get("render") != keys["render"] or not rendered.is_dir():
                say("rendering pages with Jupyter Book")
                # Nothing counts as rendered until this run has ended well.
                nb.write_text(json.dumps({**state, "render": None}), state_path)
                rendered = render.render(course, staged, fresh=force or "render" not in state)
                # What was complained about must be complained about the next time, too.
                state["render"] = None if staged.gaps.complaints else keys["render"]
                nb.write_text(json.dumps(state), state_path)
            say("assembling the site, the wheel and the Colab edition")
            folder = publish.assemble(course, site, staged, rendered, made)
            offline.pack(folder, site)
            say("checking every page")
            try:
                check.check(folder, site)
            except SiteError as error:
                staged.gaps.note(error)
            files = {
                path.relative_to(folder).as_posix(): path.stat().st_size
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            publish.swap(folder, published)
            sound = not staged.gaps.complaints
            done = keys if sound else {"render": state["render"], "site": None}
            nb.write_text(json.dumps({**done, "files": files}), state_path)
        return SiteReport(
            folder=published,
            pages=len(site.pages),
            notebooks=len(staged.chapters),
            wheel=made.name,
            rebuilt=rebuilt,
            wall_s=time.perf_counter() - begun,
            version=site.version,
            broken=tuple((page_of(course, run), banner.told(run)) for run in staged.broken),
            warnings=tuple(staged.gaps.complaints),
        )


def _keys(course: Course, staged: Staged, made: wheel.Wheel, version: str) -> dict[str, str]:
    """What the rendered pages and the whole site depend on, each as one hash."""
    own = Path(__file__).parent
    versions = {name: _version(name) for name in _TOOLS}
    extension = b"".join(
        (own / f"{n}.py").read_bytes()
        for n in ("sphinx_extension", "mathematics", "progress", "api_index")
    )
    pages = _digest(staged.files, versions, hashlib.sha256(extension).hexdigest())
    sources = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(
            [*own.rglob("*.py"), *own.parent.glob("exercise/*.py"), *own.parent.glob("*.py")]
        )
    }
    exercises = [
        (path.parent.name, path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in course.exercise_paths()
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    run_records = [
        (run.slug, run.is_broken, sorted(run.values.items())) for run in staged.runs.values()
    ]
    return {
        "render": pages,
        "site": _digest(
            pages,
            made.version,
            made.source_hash,
            sources,
            exercises,
            repr(run_records),
            version,
        ),
    }


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _whole(published: Path, state: dict[str, Any]) -> bool:
    """Whether every published file is there with the size that it was published with."""
    files = state.get("files")
    if not files:
        return False
    try:
        return all((published / name).stat().st_size == size for name, size in files.items())
    except OSError:
        return False


def forget(course: Course) -> None:
    """Let the next build render and assemble all that it finds changed, trusting nothing."""
    path = course.build / "site" / "state.json"
    state = _read_state(path)
    if state:
        nb.write_text(json.dumps({**state, "render": None, "site": None}), path)


@contextmanager
def alone(course: Course, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of the build folder, so that two builds at once take turns."""
    path = course.build / "site" / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of this site to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
