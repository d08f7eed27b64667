"""The course: the only module that knows folder names.

A course is a folder with a ``pyproject.toml`` that has a ``[tool.chapterhouse]`` table. Everything
else in chapterhouse asks a `Course` where things are, so another course with another layout needs
settings, not code.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chapterhouse.errors import CourseError


@dataclass(frozen=True)
class Limits:
    """What one chapter may use in one profile."""

    timeout_s: float = 120.0
    max_memory_bytes: int = 2 * 1024**3
    max_output_bytes: int = 20 * 1024**2


@dataclass(frozen=True)
class Course:
    """A course on disk, and where each of its parts is.

    Every path is absolute. `Course.find` is the usual way to make one.
    """

    root: Path
    title: str
    chapters: Path
    exercises: Path
    book: Path
    build: Path
    robust: Path
    libraries: tuple[Path, ...] = ()
    profiles: dict[str, Limits] = field(default_factory=dict)

    @classmethod
    def find(cls, start: Path | None = None) -> Course:
        """The course whose root is `start` or the nearest folder above it.

        Raises:
            CourseError: no ``[tool.chapterhouse]`` table was found, or a setting is wrong.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            settings_file = folder / "pyproject.toml"
            if settings_file.is_file():
                settings = _read_settings(settings_file)
                if settings is not None:
                    return cls._from_settings(folder, settings)
        raise CourseError(
            f"No course found: neither {here} nor a folder above it has a pyproject.toml "
            "with a [tool.chapterhouse] table.",
            fix="run the command inside a course, or pass its folder with --course FOLDER",
        )

    @classmethod
    def _from_settings(cls, root: Path, settings: dict) -> Course:
        known = {
            "title", "chapters", "exercises", "book", "build", "robust", "libraries", "profiles",
        }  # fmt: skip
        unknown = sorted(set(settings) - known)
        if unknown:
            raise CourseError(
                f"[tool.chapterhouse] in {root / 'pyproject.toml'} has the unknown setting "
                f"{unknown[0]!r}.",
                fix=f"use one of {', '.join(sorted(known))}",
            )
        profiles = {
            "fast": Limits(),
            "full": Limits(timeout_s=7200.0, max_memory_bytes=64 * 1024**3),
        }
        for name, limits in settings.get("profiles", {}).items():
            try:
                profiles[name] = Limits(**limits)
            except TypeError as error:
                raise CourseError(
                    f"[tool.chapterhouse.profiles.{name}] in {root / 'pyproject.toml'}: {error}.",
                    fix="use timeout_s, max_memory_bytes and max_output_bytes",
                ) from None
        return cls(
            root=root,
            title=settings.get("title", root.name),
            chapters=root / settings.get("chapters", "chapters"),
            exercises=root / settings.get("exercises", "exercises"),
            book=root / settings.get("book", "book"),
            build=root / settings.get("build", "_build"),
            robust=root / settings.get("robust", f"{settings.get('book', 'book')}/robust"),
            libraries=tuple(root / path for path in settings.get("libraries", ())),
            profiles=profiles,
        )

    def limits(self, profile: str) -> Limits:
        """The limits of one profile.

        Raises:
            CourseError: the course has no such profile.
        """
        if profile not in self.profiles:
            raise CourseError(
                f"The course has no profile {profile!r}.",
                fix=f"use one of {', '.join(self.profiles)}",
            )
        return self.profiles[profile]

    def git(self, *arguments: str) -> str | None:
        """What git answers in the course's folder; None without git, a repository or an answer."""
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def chapter_paths(self) -> list[Path]:
        """Every chapter notebook, in reading order (the number that starts its name).

        Raises:
            CourseError: there are no chapters, or two share a number.
        """
        paths = sorted(self.chapters.glob("[0-9]*_*.ipynb"))
        if not paths:
            raise CourseError(
                f"No chapters found in {self.chapters}.",
                fix="name them NN_slug.ipynb and put them there",
            )
        seen: dict[str, Path] = {}
        for path in paths:
            number = path.stem.split("_", 1)[0]
            if number in seen:
                raise CourseError(
                    f"{seen[number].name} and {path.name} both have the number {number}.",
                    fix="rename one of them",
                )
            seen[number] = path
        return paths

    def page_paths(self) -> list[Path]:
        """Every notebook among the book's pages: executed as chapters are, but no chapter."""
        found = self.book.rglob("*.ipynb")
        return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)

    def notebook_paths(self) -> list[Path]:
        """Everything that is executed: the chapters, then the book's own notebooks.

        Raises:
            CourseError: there are no chapters, or two notebooks share a number or a name.
        """
        paths = [*self.chapter_paths(), *self.page_paths()]
        seen: dict[str, Path] = {}
        for path in paths:
            if path.stem in seen:
                raise CourseError(
                    f"{seen[path.stem]} and {path} have the same name.", fix="rename one of them"
                )
            seen[path.stem] = path
        return paths

    def notebook_path(self, name: str) -> Path:
        """One chapter or executed page by its slug or path; a chapter also by its number.

        Raises:
            CourseError: there is none, or more than one.
        """
        return self._find(name, self.notebook_paths())

    def chapter_path(self, name: str) -> Path:
        """One chapter by its slug (``04_under_the_hood``), its number (``4``) or its path.

        Raises:
            CourseError: there is none, or more than one.
        """
        return self._find(name, self.chapter_paths())

    def _find(self, name: str, paths: list[Path]) -> Path:
        given = Path(name)
        wanted = given.stem if given.suffix == ".ipynb" else given.name
        number = wanted.zfill(2) if wanted.isdigit() else None
        matches = [p for p in paths if p.stem == wanted or p.stem.split("_", 1)[0] == number]
        if len(matches) != 1:
            raise CourseError(
                f"No chapter is called {name!r} in {self.chapters}.",
                fix="use one of " + ", ".join(p.stem for p in paths),
            )
        return matches[0]

    def exercise_paths(self) -> list[Path]:
        """Every exercise folder, in order of name."""
        return sorted(p.parent for p in self.exercises.glob("*/exercise.md"))


def combined_sha256(hashes: Mapping[str, str]) -> str:
    """One hash of the hashes of some files, by name."""
    return hashlib.sha256(json.dumps(sorted(hashes.items())).encode()).hexdigest()


def _read_settings(path: Path) -> dict | None:
    """The ``[tool.chapterhouse]`` table of one file, or None."""
    try:
        return tomllib.loads(path.read_text()).get("tool", {}).get("chapterhouse")
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{path} is not valid TOML: {error}.", fix="mend that line") from None
