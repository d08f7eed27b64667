"""Notebooks as data: read, check, find cells, write. Pure, but for reading and writing files.

House rules of a stored notebook: format 4.5, no outputs, no execution counts, a unique id on every
cell, the ``python3`` kernel, exactly one cell tagged ``parameters``.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from chapterhouse.errors import NotebookError
from chapterhouse.parsed import parse as parse_python

# nbformat imports jsonschema, which, where it finds this package, compiles a grammar of URIs for
# 1.5 s. A notebook has no use for it.
_KEPT_OUT = "rfc3987_syntax"
_keep_out = _KEPT_OUT not in sys.modules
if _keep_out:
    sys.modules[_KEPT_OUT] = None  # type: ignore[assignment]

import nbformat  # noqa: E402
from nbformat import NotebookNode  # noqa: E402

if _keep_out:
    del sys.modules[_KEPT_OUT]

MATTERS = ("parameters", "raises-exception", "skip-execution")  # tags that change how a cell runs


def read(path: Path) -> NotebookNode:
    """One notebook from disk, validated.

    Raises:
        NotebookError: it is missing, not a notebook, or not valid format 4.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotebookError(f"{path} does not exist.", fix="check the name") from None
    except IsADirectoryError:
        raise NotebookError(f"{path} is a folder, not a notebook.", fix="name a file") from None
    except UnicodeDecodeError:
        raise NotebookError(
            f"{path} is not a notebook: it is not UTF-8 text.", fix="save it as .ipynb again"
        ) from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str = "notebook") -> NotebookNode:
    """One notebook from its JSON text; `name` is what errors call it.

    Raises:
        NotebookError: the text is not JSON or not a valid notebook of format 4.
    """
    try:
        notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
        major = notebook.get("nbformat")
        if major != 4:
            raise NotebookError(
                f"{name} has notebook format {major}; 4 was expected.",
                fix=f"jupyter nbconvert --to notebook --nbformat 4 {name}",
            )
        nbformat.validate(notebook)
    except NotebookError:
        raise
    except (nbformat.reader.NotJSONError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise NotebookError(
            f"{name} is not a notebook: {str(error).splitlines()[0][:200]}.",
            fix="open it in Jupyter and save it again, or restore it from git",
        ) from None
    except nbformat.ValidationError as error:
        raise NotebookError(
            f"{name} is not a valid notebook: {error.message[:200]}.",
            fix="open it in Jupyter and save it again, or restore it from git",
        ) from None
    except RecursionError:
        raise NotebookError(
            f"{name} is not a notebook: its JSON is nested too deeply.", fix="restore it from git"
        ) from None
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Write one notebook whole or not at all: a reader never sees half of it."""
    write_text(dumps(notebook), path)


def dumps(notebook: NotebookNode) -> str:
    """The notebook as its canonical text: one-space indent, sorted keys, a final newline."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def write_text(text: str, path: Path) -> None:
    """Write a file whole or not at all, through a temporary file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def tags(cell: NotebookNode) -> list[str]:
    """The tags of one cell."""
    return list(cell.metadata.get("tags", []))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code_sha256(notebook: NotebookNode) -> str:
    """One hash of all that runs: each code cell's source, and the tags that change how it runs."""
    told = [
        [cell.source, [tag for tag in MATTERS if tag in tags(cell)]]
        for cell in code_cells(notebook)
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def parameters_cell(notebook: NotebookNode, *, name: str) -> NotebookNode:
    """The one cell tagged ``parameters``.

    Raises:
        NotebookError: there is none, or more than one.
    """
    found = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    if len(found) != 1:
        count = "no cell" if not found else f"{len(found)} cells"
        raise NotebookError(
            f"{name} has {count} tagged 'parameters'; exactly one was expected.",
            fix="tag the cell that sets the chapter's numbers (View > Cell Toolbar > Tags)",
        )
    return found[0]


def parameters(notebook: NotebookNode, *, name: str) -> dict[str, Any]:
    """The names and default values that the parameters cell sets, by reading it, not running it.

    Raises:
        NotebookError: the cell holds something other than ``name = literal``.
    """
    cell = parameters_cell(notebook, name=name)
    values: dict[str, Any] = {}
    try:
        statements = parse_python(cell.source).body
    except SyntaxError as error:
        where = f"line {error.lineno} of the" if error.lineno else "the"
        raise NotebookError(
            f"{name}: {where} parameters cell is not Python: {error.msg}.",
            fix="mend that line" if error.lineno else "write the cell anew",
        ) from None
    for statement in statements:
        try:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=value):
                    values[target] = ast.literal_eval(value)
                case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                    values[target] = ast.literal_eval(value)
                case _:
                    raise ValueError
        except (ValueError, TypeError):
            raise NotebookError(
                f"{name}: line {statement.lineno} of the parameters cell is not `name = literal`.",
                fix="move everything else to the cell below it",
            ) from None
    return values


def profile_parameters(notebook: NotebookNode, profile: str) -> dict[str, Any]:
    """What a profile changes: ``metadata.chapterhouse.profiles[profile]``."""
    profiles = notebook.metadata.get("chapterhouse", {}).get("profiles", {})
    return dict(profiles.get(profile, {}))


def faults(notebook: NotebookNode) -> list[str]:
    """Which house rules a stored notebook breaks, one sentence each; empty when it keeps them."""
    found = []
    if notebook.get("nbformat_minor", 0) < 5:
        found.append("is older than format 4.5, so its cells have no ids")
    seen: set[str] = set()
    for number, cell in enumerate(notebook.cells):
        identity = cell.get("id")
        if identity in seen:
            found.append(f"has the cell id {identity!r} twice (cell {number})")
        seen.add(identity)
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None):
            found.append(f"is stored with outputs (cell {number})")
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("does not name the kernel python3")
    if sum("parameters" in tags(cell) for cell in code_cells(notebook)) != 1:
        found.append("does not have exactly one cell tagged 'parameters'")
    return found


def check(notebook: NotebookNode, *, name: str) -> None:
    """Refuse a stored notebook that breaks a house rule.

    Raises:
        NotebookError: the first rule that it breaks.
    """
    found = faults(notebook)
    if found:
        raise NotebookError(
            f"{name} {found[0]}.", fix=f"chapterhouse notebook clean {name}, then look at the diff"
        )


def strip(notebook: NotebookNode) -> NotebookNode:
    """A copy without outputs, execution counts and the marks that tools leave in the metadata."""
    clean = copy.deepcopy(notebook)
    clean.nbformat, clean.nbformat_minor = 4, 5
    clean.metadata = NotebookNode(
        {k: v for k, v in clean.metadata.items() if k in ("kernelspec", "chapterhouse")}
    )
    clean.metadata.kernelspec = NotebookNode(
        display_name="Python 3", language="python", name="python3"
    )
    seen: set[str] = set()
    for number, cell in enumerate(clean.cells):
        if "id" not in cell or cell.id in seen:
            cell.id = f"cell-{number:03d}"
        seen.add(cell.id)
        kept = {k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb", "alt", "given")}
        cell.metadata = NotebookNode(kept)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return clean


def clean_file(path: Path) -> bool:
    """Strip one stored notebook in place; say whether that changed the file.

    Raises:
        NotebookError: it is missing or not a notebook.
    """
    cleaned = dumps(strip(read(path)))
    if cleaned == path.read_text(encoding="utf-8"):
        return False
    write_text(cleaned, path)
    return True
