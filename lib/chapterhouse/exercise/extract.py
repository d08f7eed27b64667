"""Taking a student's answers back out of a notebook, whatever happened to its cells.

Only marker comments are trusted, because Colab rewrites ids and metadata. Where markers are gone or
cells were split, copied, re-ordered, retyped or renamed, the answer is found by the names that it
must define. Every such repair is told to the student, and none costs a point.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from chapterhouse.exercise.cells import Cell
from chapterhouse.exercise.source import (
    MAX_SOURCE_CHARACTERS,
    Statement,
    drop_magics,
    names,
    parses,
    same_code,
    statements,
)

_MARKER = re.compile(
    r"^[ \t]{0,20}(?:#{1,6}|<!--)[ \t]{0,9}(?P<kind>exercise|check|chapter|setup|hand in)"
    r"[ \t]{0,9}:[ \t]{0,9}(?P<id>[^\s>]{0,80}?)[ \t]{0,9}(?:-->)?[ \t]{0,20}$",
    re.IGNORECASE | re.MULTILINE,
)
# More notes than this on one answer help nobody.
_MAX_REPAIRS = 20
_FENCE = re.compile(r"^```[\w ]*\n(.*?)\n```\s*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Wanted:
    """What extraction needs to know of an exercise: nothing that a student may not see."""

    id: str
    chapter: str
    kind: str = "auto"
    names: tuple[str, ...] = ()
    starter: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer: its source, or None when there is none; and what was repaired to get it.

    `offset` is how many lines stand in `source` above the answer's own cell.
    """

    exercise: str
    source: str | None
    repairs: tuple[str, ...] = ()
    offset: int = 0


@dataclass(frozen=True)
class _Piece:
    """A stretch of a cell between two markers."""

    cell: Cell
    kind: str  # exercise, check, chapter, setup, hand in, or free
    id: str
    text: str

    @property
    def is_code(self) -> bool:
        return self.cell.kind == "code"


def extract(
    cells: Sequence[Cell], catalogue: Sequence[Wanted], *, only: str | None = None
) -> list[Answer]:
    """The answers to the exercises that the cells are about, in the catalogue's order.

    These are all exercises of each chapter that a marker names; without any marker, those whose
    names the cells define and no other exercise asks for; with `only`, that exercise.
    """
    pieces = [piece for cell in cells for piece in _cut(cell)]
    pieces, notes = _mend_ids(pieces, catalogue)
    if only is not None:
        wanted = [exercise for exercise in catalogue if exercise.id == only]
        if len(cells) == 1 and not any(piece.kind == "exercise" for piece in pieces):
            # A script that was named as this exercise's answer: all of it is.
            repairs: list[str] = []
            return [Answer(only, _code(pieces[0], repairs), tuple(repairs))]
    else:
        wanted = _wanted(pieces, catalogue)
    return [_answer(exercise, pieces, notes.get(exercise.id, [])) for exercise in wanted]


def _cut(cell: Cell) -> list[_Piece]:
    """A cell's stretches: one a marker, with what stands above the first one joined to it."""
    marks = list(_MARKER.finditer(cell.source))
    if not marks:
        return [_Piece(cell, "free", "", cell.source)]
    starts = [0, *(mark.start() for mark in marks[1:])]
    ends = [*starts[1:], len(cell.source)]
    return [
        _Piece(cell, mark["kind"].lower(), mark["id"], cell.source[start:end])
        for mark, start, end in zip(marks, starts, ends, strict=True)
    ]


def _mend_ids(
    pieces: list[_Piece], catalogue: Sequence[Wanted]
) -> tuple[list[_Piece], dict[str, list[str]]]:
    """Markers whose id is misspelt get the one id that is near; with a note for each."""
    known = [exercise.id for exercise in catalogue]
    notes: dict[str, list[str]] = {}
    mended = []
    for piece in pieces:
        if piece.kind == "exercise" and piece.id not in known:
            near = difflib.get_close_matches(piece.id.lower()[:80], known, n=2, cutoff=0.8)
            if len(near) == 1 or (near and near[0].endswith(piece.id.lower().lstrip("0"))):
                notes.setdefault(near[0], []).append(
                    f"the marker in cell {piece.cell.number} says {piece.id[:60]!r}; "
                    f"it was read as {near[0]!r}"
                )
                piece = _Piece(piece.cell, piece.kind, near[0], piece.text)
            else:
                piece = _Piece(piece.cell, "free", "", piece.text)
        mended.append(piece)
    return mended, notes


def _wanted(pieces: list[_Piece], catalogue: Sequence[Wanted]) -> list[Wanted]:
    marked = {piece.id for piece in pieces if piece.kind in ("exercise", "check")}
    chapters = {piece.id for piece in pieces if piece.kind == "chapter"}
    chapters |= {exercise.chapter for exercise in catalogue if exercise.id in marked}
    if chapters & {exercise.chapter for exercise in catalogue}:
        return [exercise for exercise in catalogue if exercise.chapter in chapters]
    defined: set[str] = set()
    for piece in pieces:
        defined |= names(drop_magics(piece.text)[0]).defined
    found = [e for e in catalogue if e.names and set(e.names) <= defined]
    # Two exercises may ask for functions of one name; only a marker could tell them apart.
    names_of = [e.names for e in found]
    return [e for e in found if names_of.count(e.names) == 1]


def _answer(exercise: Wanted, pieces: list[_Piece], notes: list[str]) -> Answer:
    """The answer to one exercise, with what was repaired."""
    repairs = list(notes)
    own = [
        i for i, piece in enumerate(pieces) if (piece.kind, piece.id) == ("exercise", exercise.id)
    ]
    if exercise.kind == "manual":
        return _manual(exercise, [pieces[i] for i in own], repairs)
    chosen = _choose(exercise, pieces, own, repairs)
    if chosen is None:
        return Answer(exercise.id, None, tuple(repairs))
    piece = pieces[chosen]
    text = _code(piece, repairs)
    text, used = _join_split(text, pieces, chosen, repairs)
    source, offset = _complete(exercise, text, pieces, chosen, used, repairs)
    _note_missing_names(exercise, source, repairs)
    if len(source) > MAX_SOURCE_CHARACTERS:
        source = text
    return Answer(exercise.id, source, tuple(dict.fromkeys(repairs))[:_MAX_REPAIRS], offset)


def _manual(exercise: Wanted, own: list[_Piece], repairs: list[str]) -> Answer:
    """Free text, kept for a person: everything below its markers."""
    if len(own) > 1:
        repairs.append(f"{len(own)} cells carry its marker; all of them are kept, in order")
    text = "\n\n".join(_MARKER.sub("", piece.text).strip() for piece in own).strip()
    return Answer(exercise.id, text[:MAX_SOURCE_CHARACTERS] or None, tuple(repairs))


def _choose(
    exercise: Wanted, pieces: list[_Piece], own: list[int], repairs: list[str]
) -> int | None:
    """Which piece is the answer, or None when nothing was answered."""
    unchanged = [i for i in own if same_code(pieces[i].text, exercise.starter)]
    written = [i for i in own if i not in unchanged and _bare_marker(pieces[i]) is False]
    distinct: dict[str, int] = {pieces[i].text.strip(): i for i in written}
    if len(own) > 1:
        where = ", ".join(str(pieces[i].cell.number) for i in own)
        what = "the last different one is graded" if len(distinct) > 1 else "they count as one"
        repairs.append(f"the cells {where} all carry its marker; {what}")
    if distinct:
        complete = [i for i in distinct.values() if set(exercise.names) <= _defined(pieces[i])]
        return (complete or list(distinct.values()))[-1]
    for i in reversed(range(len(pieces))):
        piece = pieces[i]
        if piece.kind == "exercise" or not set(exercise.names) & _defined(piece):
            continue
        if same_code(piece.text, exercise.starter):
            continue
        lost = "its marker is gone" if not own else "the marked cell holds no answer"
        repairs.append(
            f"{lost}; the answer was found in cell {piece.cell.number} by the name "
            f"{exercise.names[0]!r}"
        )
        return i
    return None


def _note_missing_names(exercise: Wanted, source: str, repairs: list[str]) -> None:
    """Say which names the answer lacks, because what its calls then raise says it badly."""
    defined = names(source).defined
    missing = [name for name in exercise.names if name not in defined]
    if missing and parses(source):
        instead = ", ".join(sorted(defined - names(exercise.starter).defined)[:5]) or "nothing else"
        repairs.append(
            f"it does not define {', '.join(map(repr, missing))}, and defines {instead[:200]}; "
            "the names of the starter must stay"
        )


def _bare_marker(piece: _Piece) -> bool:
    """Whether a piece holds nothing but its marker and comments."""
    return same_code(piece.text, "")


def _defined(piece: _Piece) -> frozenset[str]:
    return names(drop_magics(_unfenced(piece))[0]).defined


def _unfenced(piece: _Piece) -> str:
    """A piece's text; of a text cell with a fenced block, the block."""
    if not piece.is_code and (fence := _FENCE.search(piece.text)):
        return fence.group(1)
    return piece.text


def _code(piece: _Piece, repairs: list[str]) -> str:
    """A piece as Python: out of a text cell if need be, without magics."""
    if not piece.is_code:
        repairs.append(f"cell {piece.cell.number} is a text cell; it was read as code")
    text, notes = drop_magics(_unfenced(piece))
    repairs.extend(f"in cell {piece.cell.number} {note}" for note in notes)
    return text


def _join_split(
    text: str, pieces: list[_Piece], chosen: int, repairs: list[str]
) -> tuple[str, set[int]]:
    """Put a function that was split over cells together again; which other pieces that took."""
    used: set[int] = set()
    for i in range(chosen + 1, min(chosen + 4, len(pieces))):
        piece = pieces[i]
        if piece.kind != "free" or not piece.is_code or not piece.text.strip():
            break
        continues = piece.text.lstrip("\n")[:1] in (" ", "\t")
        if parses(text) and not continues:
            break
        joined = text.rstrip("\n") + "\n" + piece.text
        used.add(i)
        text = joined
        if parses(joined):
            repairs.append(f"cell {piece.cell.number} was joined to it: it was split off")
    return (text, used) if parses(text) or not used else (_code(pieces[chosen], []), set())


def _complete(
    exercise: Wanted,
    text: str,
    pieces: list[_Piece],
    chosen: int,
    used: set[int],
    repairs: list[str],
) -> tuple[str, int]:
    """The answer with the definitions that it needs from other cells, all in the order of cells."""
    known = names(text)
    if not parses(text):
        return text, 0
    missing = (set(exercise.names) - known.defined) | known.needed
    order = _search_order(pieces, chosen, used)
    taken: dict[tuple[int, int], str] = {}
    while missing:
        name = missing.pop()
        for i in order:
            found = [s for s in _statements(pieces[i]) if name in s.names.defined]
            if not found:
                continue
            for statement in found:
                key = (i, statement.line)
                if key not in taken:
                    taken[key] = statement.text
                    missing |= statement.names.needed - known.defined
            repairs.append(
                f"the definition of {name!r} was taken from cell {pieces[i].cell.number}"
            )
            break
    above = [taken[key] for key in sorted(taken) if key[0] < chosen]
    below = [taken[key] for key in sorted(taken) if key[0] > chosen]
    head = "\n".join(above)
    return "\n".join([*above, text, *below]), head.count("\n") + 1 if above else 0


def _search_order(pieces: list[_Piece], chosen: int, used: set[int]) -> list[int]:
    """Where to look for a missing name: next to the answer first, then the last cells first."""
    stop = next(
        (i for i in range(chosen + 1, len(pieces)) if pieces[i].kind == "exercise"), len(pieces)
    )
    near = [i for i in range(chosen + 1, stop) if i not in used]
    rest = [i for i in reversed(range(len(pieces))) if i != chosen and i not in (*near, *used)]
    return [
        i for i in near + rest if pieces[i].is_code and pieces[i].kind not in ("setup", "chapter")
    ]


def _statements(piece: _Piece) -> tuple[Statement, ...]:
    return statements(drop_magics(piece.text)[0])
