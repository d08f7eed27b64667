"""The ``{live}`` block: which figure, of what, and the picture that stands there until it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from nbformat import NotebookNode

from chapterhouse.errors import SiteError
from chapterhouse.myst import Directive
from chapterhouse.site import facts, pictures
from chapterhouse.site.executed import Executed
from chapterhouse.site.live.records import Published, published

FOLDER = "_static/live"
_SCRIPTS = ("network", "page", "activations", "draw", "walk", "descend", "start")
_PAGE_SCRIPT = "element"
# kind → what it works on, what its button says, and what its parts are called together.
KINDS = {
    "draw": ("network", "Draw, and let the network judge", "Draw for the network"),
    "walk": ("network", "Walk over the plane of codes", "Walk over the codes"),
    "descend": ("surface", "Try learning rates", "Gradient descent"),
}
# option → kinds that take it, smallest and largest value.
_NUMBERS = {"pen": (("draw",), 1.0, 8.0), "reach": (("walk",), 0.1, 100.0)}
_OTHER = ("model", "picture", "alt")


@dataclass(frozen=True)
class Figure:
    """A live figure as its page has it.

    `markdown` takes the block's place; `files` are to be staged, by path within the tree; `cell` is
    the one whose picture the figure shows, and `slug` that cell's chapter.
    """

    markdown: str
    files: dict[str, bytes]
    slug: str
    cell: NotebookNode


def expand(
    block: Directive, runs: Mapping[str, Executed], *, slug: str | None, page: str, where: str
) -> Figure:
    """The figure that a ``{live}`` block asks for.

    Args:
        block: its argument is the kind; ``:model:`` names what was published, as ``name`` or
            ``chapter/name``; ``:picture:`` names the cell that drew the picture, where it is not
            the one that published; ``:alt:`` describes the picture, where the cell does not;
            ``:pen:`` and ``:reach:`` are numbers for ``draw`` and ``walk``. The body: its caption.
        runs: the executed notebooks, by slug.
        slug: the chapter that the block is part of; None on a page that is no chapter.
        page: the page, for addresses.
        where: file and cell, for errors.

    Raises:
        SiteError: an unknown kind, model, option or picture, or a model that the kind can't show.
    """
    where = f"{where}, line {block.line}"
    if block.argument not in KINDS:
        raise SiteError(
            f"{where}: {{live}} has no kind {block.argument!r}.",
            fix="use one of " + ", ".join(KINDS),
        )
    options = _options(block, where)
    model = _model(block, runs, slug=slug, where=where)
    _check(block.argument, model, where)
    run = runs[model.slug]
    cell = _cell(block, run, model, where)
    picture = pictures.of_cell(cell)
    if picture is None:
        raise SiteError(
            f"{where}: the cell {cell.id!r} of {run.slug} drew no picture for this figure.",
            fix="draw one where the model is published, or name a cell that does with :picture:",
        )
    suffix, content, alt = picture
    alt = block.options.get("alt", "") or alt
    if not alt:
        raise SiteError(
            f"{where}: the picture of {{live}} has no text for those who cannot see it.",
            fix="add `:alt: what the picture shows`",
        )
    image = f"{pictures.FOLDER}/{run.slug}-{cell.id}{suffix}"
    scripts = {f"{FOLDER}/{runtime_name()}": runtime()}
    scripts[f"{FOLDER}/{model.file_name()}"] = model.script()
    return Figure(
        _markdown(block, model, options, image=image, alt=alt, scripts=scripts, page=page),
        {image: content, **{f"book/{name}": code for name, code in scripts.items()}},
        run.slug,
        cell,
    )


def in_words(block: Directive, *, url: str | None, convert: Callable[[str], str] = str) -> str:
    """What stands in the place of the figure where no scripts run: a quotation with a link.

    Args:
        block: the directive.
        url: the address of the page that has the figure, where it is public.
        convert: makes plain markdown of the caption.
    """
    there = f"[this chapter's page]({url})" if url else "this chapter's page"
    text = (
        f"> **{KINDS.get(block.argument, ('', '', 'A live figure'))[2]}** on {there}: what the code"
    )
    text += " above trained runs there, in the page itself."
    body = "\n".join(f"> {line}".rstrip() for line in convert(block.body).split("\n"))
    return f"{text}\n>\n{body}" if block.body else text


def _options(block: Directive, where: str) -> dict[str, float]:
    """The numbers among the options, each known and in its range."""
    numbers = {}
    for key, text in block.options.items():
        kinds, low, high = _NUMBERS.get(key, ((), 0.0, 0.0))
        if key in _OTHER:
            continue
        if block.argument not in kinds:
            known = [*_OTHER, *(k for k, v in _NUMBERS.items() if block.argument in v[0])]
            raise SiteError(
                f"{where}: {{live}} {block.argument} has no option {key!r}.",
                fix="use " + ", ".join(known),
            )
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise SiteError(
                f"{where}: :{key}: is {text!r}.", fix=f"give a number from {low:g} to {high:g}"
            )
        numbers[key] = value
    return numbers


def _model(
    block: Directive, runs: Mapping[str, Executed], *, slug: str | None, where: str
) -> Published:
    """What ``:model:`` names."""
    chapter, _, name = block.options.get("model", "").rpartition("/")
    run = runs.get(chapter or slug or "")
    if run is None:
        raise SiteError(
            f"{where}: {{live}} names {block.options.get('model', '')!r}, and "
            f"{chapter or 'this page'} is no executed chapter.",
            fix="write :model: chapter/name, with one of " + (", ".join(sorted(runs)) or "none"),
        )
    known = published(run)
    if name not in known:
        raise SiteError(
            f"{where}: {{live}} names {name!r}, which {run.slug} did not publish.",
            fix=f"publish it with sp.publish({name!r}, …), or use "
            + (", ".join(sorted(known)) or "none yet"),
        )
    return known[name]


def _check(kind: str, model: Published, where: str) -> None:
    """Refuse what a kind of figure cannot show."""
    content, wanted, name = model.content, KINDS[kind][0], repr(model.name)
    steps, classes = content.get("steps"), content.get("classes") or []
    outputs = steps[-1]["shape"] if isinstance(steps, list) and steps else []
    wrong = ""
    if model.type != wanted:
        wrong = f"a {wanted}; {name} is a {model.type}"
    elif kind == "draw" and (len(content["input"]) != 3 or content["input"][0] != 1):
        wrong = f"grey pictures as inputs; those of {name} are {content['input']}"
    elif kind == "draw" and (outputs != [len(classes)] or not classes):
        wrong = f"one output a class; {name} has {len(classes)} classes and outputs {outputs}"
    elif kind == "walk" and content["input"] != [2 + len(classes)]:
        wrong = f"two numbers and one a class as inputs; those of {name} are {content['input']}"
    elif kind == "walk" and (len(outputs) != 3 or outputs[0] != 1):
        wrong = f"grey pictures as outputs; those of {name} are {outputs}"
    if wrong:
        raise SiteError(
            f"{where}: {{live}} {kind} needs {wrong}.",
            fix="publish what this kind shows, or use another: " + ", ".join(KINDS),
        )


def _cell(block: Directive, run: Executed, model: Published, where: str) -> NotebookNode:
    """The cell whose picture the figure shows."""
    wanted = block.options.get("picture")
    if wanted is None:
        return model.cell
    for cell in run.notebook.cells:
        if cell.get("id") == wanted:
            return cell
    drawn = [cell.id for cell in run.notebook.cells if pictures.of_cell(cell) is not None]
    raise SiteError(
        f"{where}: {{live}} names the cell {wanted!r}, which {run.slug} does not have.",
        fix="use one of " + (", ".join(drawn) or "none; the chapter draws no picture"),
    )


def _markdown(
    block: Directive,
    model: Published,
    options: dict[str, float],
    *,
    image: str,
    alt: str,
    scripts: Mapping[str, bytes],
    page: str,
) -> str:
    _, invitation, label = KINDS[block.argument]
    size = sum(len(code) for code in scripts.values()) / 1e6
    attributes = {
        "data-kind": block.argument,
        "data-model": model.key,
        "data-label": label,
        "data-options": json.dumps(options, sort_keys=True),
        "data-scripts": " ".join(facts.from_page(page, name) for name in scripts),
    }
    written = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
    lines = [
        "```{raw} html",
        f'<div class="live" {written}>',
        '<div class="live-still">',
        "```",
        "",
        f"```{{image}} /{image}",
        f":alt: {' '.join(alt.split())}",
        "```",
        "",
        "```{raw} html",
        "</div>",
        '<p class="live-start"><button type="button" hidden>'
        f"{escape(invitation)} (loads {max(size, 0.1):.1f} MB)</button></p>",
        "</div>",
        f"<script>{_loader()}</script>",
        "```",
    ]
    if block.body:
        lines += ["", ":::{container} picture-caption", block.body, ":::"]
    return "\n".join(lines)


@cache
def runtime() -> bytes:
    """The script that all figures share."""
    folder = files("chapterhouse.site.live") / "js"
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    body = "\n".join(parts)
    return (
        '(() => {\n"use strict";\nif (window.liveFigures) return;\n'
        "const liveFigures = window.liveFigures = { models: {} };\nconst KINDS = {};\n"
        f"{body}}})();\n"
    ).encode()


def runtime_name() -> str:
    """The file name of the shared script; it changes with the content."""
    return f"figures.{hashlib.sha256(runtime()).hexdigest()[:12]}.js"


@cache
def _loader() -> str:
    """The few lines that wait for the press of the button."""
    text = (files("chapterhouse.site.live") / "js" / f"{_PAGE_SCRIPT}.js").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
