"""The {live} block: what it makes of a good chapter, and what it says to a bad one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from chapterhouse import myst
from chapterhouse.errors import SiteError
from chapterhouse.site import live
from chapterhouse.site.executed import Executed
from chapterhouse.site.live import LIVE
from chapterhouse.site.live.records import published

PNG = base64.b64encode(b"a picture").decode()
ROW = {"dtype": "float32", "shape": [0], "data": ""}


def network(name: str = "clothes", **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "type": "network", "input": [1, 4, 4], "classes": ["a", "b"], "weights": ROW,
        "steps": [{"op": "reshape", "shape": [16]}, {"op": "linear", "shape": [2]}],
        "examples": {"inputs": ROW, "outputs": ROW, "labels": None}, **changes,
    }  # fmt: skip


def surface(name: str = "valley") -> dict[str, Any]:
    return {
        "name": name, "type": "surface", "loss": ROW, "slopes": ROW, "start": [0, 0],
        "extent": [0, 1, 0, 1], "rates": [0.1, 1], "steps": 5, "paths": [],
    }  # fmt: skip


def chapter(*records: dict[str, Any], picture: bool = True, alt: str = "Garments.") -> Executed:
    cells = [nbformat.v4.new_markdown_cell("# Title", id="title")]
    for number, record in enumerate(records):
        cell = nbformat.v4.new_code_cell("publish()", id=f"cell-{number}")
        cell.metadata = nbformat.NotebookNode({"alt": alt} if alt else {})
        cell.outputs = [nbformat.v4.new_output("display_data", {LIVE: record, "text/plain": "p"})]
        if picture:
            cell.outputs.append(nbformat.v4.new_output("display_data", {"image/png": PNG}))
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    path = Path("chapters/01_first.ipynb")
    return Executed("01_first", path, notebook, notebook, "fast", 1.0, 1.0, 1, (), {}, ())


def block(kind: str = "draw", body: str = "", **options: str) -> myst.Directive:
    lines = [f":{key}: {value}" for key, value in options.items()]
    (found,) = myst.blocks("\n".join([f"```{{live}} {kind}", *lines, body, "```"]))
    assert isinstance(found, myst.Directive)
    return found


def expand(
    given: myst.Directive, *runs: Executed, slug: str | None = "01_first", page: str = ""
) -> live.Figure:
    known = {run.slug: run for run in runs}
    return live.expand(
        given, known, slug=slug, page=page or "chapters/01_first", where="01_first.ipynb, cell 9"
    )


def test_the_figure_has_picture_button_and_caption_and_stages_its_files() -> None:
    run = chapter(network())
    figure = expand(block(model="clothes", pen="3.5", body="Draw <one>."), run)
    assert figure.slug == "01_first"
    assert figure.cell is run.notebook.cells[1]
    picture, runtime, weights = sorted(figure.files)
    assert picture == "book/_from_run/01_first-cell-0.png"
    assert figure.files[picture] == b"a picture"
    assert runtime.startswith("book/_static/live/01_first-clothes.")
    assert weights.startswith("book/_static/live/figures.")
    text = figure.markdown
    assert "```{image} /book/_from_run/01_first-cell-0.png\n:alt: Garments.\n" in text
    assert 'data-model="01_first/clothes"' in text
    assert 'data-options="{&quot;pen&quot;: 3.5}"' in text
    addresses = text.partition('data-scripts="')[2].partition('"')[0].split(" ")
    assert addresses == [
        name.replace("book/", "../", 1) for name in (weights, runtime)
    ]  # the shared script first
    assert "<button" in text
    assert "picture-caption\nDraw <one>.\n:::" in text
    assert "\n\n" not in text.partition("<script>")[2].partition("</script>")[0]


def test_the_script_gives_the_record_to_the_page_that_loads_it() -> None:
    record = network(classes=["</script>", "b"])
    (one,) = published(chapter(record)).values()
    code = one.script().decode()
    assert code.startswith('liveFigures.models["01_first/clothes"] = {')
    assert "</" not in code
    assert json.loads(code.partition(" = ")[2].rstrip(";\n")) == record


def test_names_of_files_change_with_what_is_in_them() -> None:
    names = {
        next(iter(published(chapter(network(input=[1, side, 4]))).values())).file_name()
        for side in (4, 5, 4)
    }
    assert len(names) == 2


def test_a_page_that_is_no_chapter_names_the_chapter() -> None:
    figure = expand(
        block(model="01_first/clothes"), chapter(network()), slug=None, page="book/index"
    )
    assert 'data-scripts="../_static/live/figures.' in figure.markdown


def test_another_cell_can_give_the_picture() -> None:
    run = chapter(network(), network("other"))
    figure = expand(block(model="clothes", picture="cell-1", alt="Other words."), run)
    assert figure.cell.id == "cell-1"
    assert ":alt: Other words." in figure.markdown


DECODER = {"input": [2], "classes": None, "steps": [{"op": "reshape", "shape": [1, 4, 4]}]}


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("draw", network()),
        ("descend", surface("clothes")),
        ("walk", network(**DECODER)),
        ("walk", network(**{**DECODER, "input": [5], "classes": ["a", "b", "c"]})),
    ],
)
def test_every_kind_takes_what_it_is_for(kind: str, record: dict[str, Any]) -> None:
    assert f'data-kind="{kind}"' in expand(block(kind, model="clothes"), chapter(record)).markdown


@pytest.mark.parametrize(
    ("given", "records", "message", "fix"),
    [
        (block("paint", model="clothes"), [network()], "no kind 'paint'", "draw, walk, descend"),
        (block(model="hats"), [network()], "names 'hats', which 01_first did not", "clothes"),
        (block(model="hats"), [], "did not publish", "none yet"),
        (block(), [network()], "names ''", "clothes"),
        (block(model="09_no/clothes"), [network()], "09_no is no executed chapter", "01_first"),
        (block(model="clothes", colour="red"), [network()], "no option 'colour'", "pen"),
        (block(model="clothes", reach="3"), [network()], "draw has no option 'reach'", "picture"),
        (block(model="clothes", pen="thick"), [network()], ":pen: is 'thick'", "from 1 to 8"),
        (block(model="clothes", pen="99"), [network()], ":pen: is '99'", "from 1 to 8"),
        (block(model="clothes", picture="no"), [network()], "the cell 'no'", "cell-0"),
        (block(model="clothes", picture="title"), [network()], "drew no picture", ":picture:"),
        (block(model="valley"), [surface()], "needs a network; 'valley' is a surface", "descend"),
        (block("descend", model="clothes"), [network()], "needs a surface", "draw"),
        (block("walk", model="clothes"), [network()], "two numbers", "draw"),
        (block(model="clothes"), [network(input=[3, 4, 4])], "grey pictures as inputs", "walk"),
        (block(model="clothes"), [network(classes=None)], "one output a class", "walk"),
        (block(model="clothes"), [network(), network()], "publishes 'clothes', and so", "own"),
        (block(model="clothes"), [{"name": "clothes"}], "not whole; it lacks a type", "again"),
        (block(model="clothes"), [{**network(), "name": ""}], "not whole", "again"),
    ],
)
def test_a_mistake_is_named_with_its_cell(
    given: myst.Directive, records: list[dict[str, Any]], message: str, fix: str
) -> None:
    with pytest.raises(SiteError) as caught:
        expand(given, chapter(*records))
    assert message in str(caught.value)
    assert fix in caught.value.fix
    assert "01_first.ipynb, cell" in str(caught.value)


def test_what_lacks_a_part_says_which() -> None:
    record = network()
    del record["weights"]
    with pytest.raises(SiteError, match=r"cell 2: .*lacks weights"):
        expand(block(model="clothes"), chapter(record))


def test_a_picture_needs_words_and_a_model_a_picture() -> None:
    with pytest.raises(SiteError, match="cannot see it"):
        expand(block(model="clothes"), chapter(network(), alt=""))
    with pytest.raises(SiteError, match="drew no picture"):
        expand(block(model="clothes"), chapter(network(), picture=False))


def test_where_no_scripts_run_words_and_a_link_stand() -> None:
    given = block(model="clothes", body="A caption.")
    text = live.in_words(given, url="https://example.org/a.html")
    assert text.split("\n") == [
        "> **Draw for the network** on [this chapter's page](https://example.org/a.html): what the "
        "code above trained runs there, in the page itself.",
        ">",
        "> A caption.",
    ]
    assert "on this chapter's page: what" in live.in_words(given, url=None)
