"""An exercise on disk: one folder with the prompt, the reference, the cases and the submissions.

    exercises/04_sgd_step/
      exercise.md       prompt, with front matter
      solution.py       the reference; regions between BEGIN SOLUTION and END SOLUTION are removed
                        to make the starter
      cases.py          trusted: `def cases(rng)` yields `Case`s
      visible.json      made by `chapterhouse exercise expect`: the student's own check uses it
      submissions/      named by the verdict that each must get: ac_…, wa_…, tle_…, esc_…

Nothing here runs a student's code. `cases.py` is the author's and is imported into this process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chapterhouse.course import Course
from chapterhouse.errors import ExerciseError
from chapterhouse.exercise import frontmatter, prompt, starter
from chapterhouse.exercise.cases import Case, CasesFunction, check_cases, import_cases

ID = re.compile(r"^[0-9]{2}_[a-z0-9]+(_[a-z0-9]+)*$")
DEFAULT_IMPORTS = ("math", "numpy", "torch", "sprat")
MAX_MUTANTS = 24
_KNOWN = ("id", "chapter", "title", "points", "difficulty", "kind", "limits", "imports", "mutants")
_REQUIRED = ("id", "chapter", "title", "points", "difficulty")
_LIMITS = {"cpu_s": float, "wall_s": float, "memory_bytes": int, "output_bytes": int}


@dataclass(frozen=True)
class Exercise:
    """One exercise, read and checked.

    `kind` is ``auto`` (graded by cases) or ``manual`` (free text or a plot that a person marks; it
    has no solution and no cases). `limits` holds only the limits that differ from the default:
    ``cpu_s`` and ``wall_s`` in seconds, ``memory_bytes`` and ``output_bytes``. `mutants` is how
    many small mistakes in the reference `exercise verify` tries at most.
    """

    path: Path
    id: str
    chapter: str
    title: str
    points: float
    difficulty: int
    prompt: str
    kind: str = "auto"
    imports: tuple[str, ...] = DEFAULT_IMPORTS
    limits: tuple[tuple[str, float], ...] = ()
    mutants: int = MAX_MUTANTS

    @cached_property
    def solution(self) -> str:
        """The source of the reference."""
        return _read(self.path / "solution.py", fix="write the reference solution there")

    @cached_property
    def starter(self) -> str:
        """What the student begins with: the reference without its solution regions."""
        if self.kind == "manual":
            return ""
        return starter.make(self.solution, name=str(self.path / "solution.py"))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The functions and classes that the starter defines, and the student must keep."""
        return starter.public_names(self.starter)

    @cached_property
    def visible_path(self) -> Path:
        """Where the expected values of the visible cases are stored."""
        return self.path / "visible.json"

    @cached_property
    def _cases_function(self) -> CasesFunction:
        return import_cases(self.path / "cases.py")

    def cases(self, seed: int) -> tuple[Case, ...]:
        """The cases of one submission, with inputs drawn from `seed`.

        Raises:
            ExerciseError: ``cases.py`` is missing, fails, or yields something that is not right.
        """
        if self.kind == "manual":
            return ()
        try:
            drawn: Any = list(self._cases_function(np.random.default_rng(seed)))
        except ExerciseError:
            raise
        except Exception as error:
            raise ExerciseError(
                f"{self.path / 'cases.py'} failed with {type(error).__name__}: {error}.",
                fix="run it with the seed " + str(seed) + " and mend it",
            ) from error
        return check_cases(drawn, names=self.names, where=str(self.path / "cases.py"))

    def submissions(self) -> list[Path]:
        """The example submissions, in order of name."""
        return sorted((self.path / "submissions").glob("*.py"))


def load(path: Path) -> Exercise:
    """One exercise from its folder.

    Raises:
        ExerciseError: the folder or its front matter is not as it should be; names file and line.
    """
    source = path / "exercise.md"
    name = str(source)
    matter = frontmatter.parse(
        _read(source, fix="write the prompt there, as exercises/README.md says"), name=name
    )
    _check_keys(matter, name=name)
    values = matter.values
    if values["id"] != path.name:
        raise _fault(matter, name, "id", f"{values['id']!r} is not the folder's name {path.name!r}")
    limits = _limits(matter, name=name)
    prompt.check(matter.body, name=name)
    return Exercise(
        path=path,
        id=values["id"],
        chapter=values["chapter"],
        title=values["title"],
        points=float(values["points"]),
        difficulty=values["difficulty"],
        prompt=matter.body,
        kind=values.get("kind", "auto"),
        imports=tuple(values.get("imports", DEFAULT_IMPORTS)),
        limits=limits,
        mutants=values.get("mutants", MAX_MUTANTS),
    )


def load_all(
    course: Course, *, chapter: str | None = None, ids: tuple[str, ...] = ()
) -> list[Exercise]:
    """The exercises of a course, in order of id: all, those of a chapter, or those named.

    Args:
        course: where they are.
        chapter: a chapter's slug or its number; None for all.
        ids: only these; empty for all.

    Raises:
        ExerciseError: one cannot be read, or an id or chapter has none.
    """
    paths = course.exercise_paths()
    unknown = sorted(set(ids) - {path.name for path in paths})
    if unknown:
        raise ExerciseError(
            f"There is no exercise {unknown[0]!r} in {course.exercises}.",
            fix="use one of " + (", ".join(path.name for path in paths) or "none yet"),
        )
    found = [load(path) for path in paths if not ids or path.name in ids]
    if chapter is None:
        return found
    number = Path(chapter).stem.split("_", 1)[0].zfill(2)
    of_chapter = [exercise for exercise in found if exercise.id[:2] == number]
    if not of_chapter:
        chapters = sorted({exercise.chapter for exercise in found})
        raise ExerciseError(
            f"Chapter {chapter!r} has no exercises.",
            fix="use one of " + (", ".join(chapters) or "none yet"),
        )
    return of_chapter


def _read(path: Path, *, fix: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ExerciseError(f"{path} does not exist.", fix=fix) from None
    except UnicodeDecodeError:
        raise ExerciseError(f"{path} is not UTF-8 text.", fix="save it as UTF-8") from None


def _fault(matter: frontmatter.FrontMatter, name: str, key: str, found: str) -> ExerciseError:
    line = matter.lines.get(key, 1)
    return ExerciseError(f"{name}:{line} `{key}`: {found}.", fix="see exercises/README.md")


def _check_keys(matter: frontmatter.FrontMatter, *, name: str) -> None:
    """Refuse unknown, missing and ill-typed settings."""
    values = matter.values
    for key in values:
        if key not in _KNOWN:
            raise _fault(matter, name, key, f"unknown setting; known are {', '.join(_KNOWN)}")
    for key in _REQUIRED:
        if key not in values:
            raise ExerciseError(f"{name}:1 has no `{key}`.", fix=f"add a line `{key}: …`")
    for key in ("id", "chapter", "title"):
        if not isinstance(values[key], str):
            raise _fault(matter, name, key, "is not text; put it in quotes")
    if not ID.match(values["id"]):
        raise _fault(matter, name, "id", "must look like 04_sgd_step")
    if values["chapter"][:2] != values["id"][:2]:
        raise _fault(matter, name, "chapter", f"has another number than the id {values['id']!r}")
    points = values["points"]
    if isinstance(points, bool) or not isinstance(points, (int, float)) or not 0 < points <= 100:
        raise _fault(matter, name, "points", f"{points!r} is not a number above 0 and up to 100")
    if values["difficulty"] not in (1, 2, 3):
        raise _fault(matter, name, "difficulty", f"{values['difficulty']!r} is not 1, 2 or 3")
    if values.get("kind", "auto") not in ("auto", "manual"):
        raise _fault(matter, name, "kind", f"{values['kind']!r} is not auto or manual")
    most = values.get("mutants", 0)
    if isinstance(most, bool) or not isinstance(most, int) or not 0 <= most <= MAX_MUTANTS:
        raise _fault(matter, name, "mutants", f"{most!r} is not a whole number up to {MAX_MUTANTS}")
    imports = values.get("imports", [])
    if not isinstance(imports, list) or not all(isinstance(part, str) for part in imports):
        raise _fault(matter, name, "imports", "is not a list such as [math, torch]")


def _limits(matter: frontmatter.FrontMatter, *, name: str) -> tuple[tuple[str, float], ...]:
    """The limits that the exercise sets, checked."""
    table = matter.values.get("limits", {})
    if not isinstance(table, dict):
        raise _fault(matter, name, "limits", "is not a table of indented lines")
    for key, value in table.items():
        path = f"limits.{key}"
        if key not in _LIMITS:
            raise _fault(matter, name, path, f"unknown limit; known are {', '.join(_LIMITS)}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            raise _fault(matter, name, path, f"{value!r} is not a number above 0")
    return tuple((key, _LIMITS[key](value)) for key, value in table.items())
