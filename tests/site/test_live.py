"""Live figures in a headless browser: they compute what torch computes, by pointer and by keys.

The figures stand on a bare page that is opened from a folder, without a server and without the
book's styles; the book's own chapters with live figures are looked at as they are published.
"""

import json
import re
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn

import sprat as sp
from chapterhouse import myst
from chapterhouse.course import Course
from chapterhouse.site import live
from chapterhouse.site.executed import Executed
from sprat import published

CLOSE = 1e-4
BOOK = Course.find(Path(__file__).parents[2])
FIGURES = [  # every figure of the book: page, kind
    (path.relative_to(BOOK.root).with_suffix("").as_posix(), block.argument)
    for path in BOOK.notebook_paths()
    for cell in nbformat.read(path, 4).cells
    if cell.cell_type == "markdown"
    for block in myst.blocks(cell.source)
    if isinstance(block, myst.Directive) and block.name == "live"
]
PICTURE = (  # one grey pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
READ = """(canvas) =>
  [...canvas.getContext("2d").getImageData(0, 0, 12, 12).data]
  .filter((_, i) => i % 4 == 0)"""
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width"><style>
:root {{ --pst-color-primary: #0b6670; --pst-color-secondary: #a93d24; --pst-color-border: #d5e0e3;
  --pst-color-background: #ffffff; --pst-color-text-base: #16262e;
  --pst-color-text-muted: #4b5c64; }}
html[data-theme="dark"] {{ --pst-color-primary: #6bd0d6; --pst-color-secondary: #ffad94;
  --pst-color-border: #2c424b; --pst-color-background: #0f1b21; --pst-color-text-base: #dbe6e9;
  --pst-color-text-muted: #a4b5bb; }}
body {{ background: var(--pst-color-background); color: var(--pst-color-text-base); }}
</style></head><body><main><h1>Figures</h1>{figures}</main></body></html>"""


def records() -> dict[str, dict]:
    """What a chapter would publish: networks of several makes, and a valley."""
    torch.manual_seed(0)
    x = torch.randint(0, 256, (6, 1, 12, 12), dtype=torch.uint8)
    data = sp.Data(x, torch.tensor([0, 1, 2, 0, 1, 2]), classes=("boot", "coat", "dress"))
    task = sp.Task(
        sp.Image(1), sp.Label(data.classes), encodings=[sp.ToFloat(), sp.Normalize.of(data)]
    )
    parts = data.split(0.5, stratify=True)
    mixed = nn.Sequential(
        nn.Conv2d(1, 5, 3, stride=2, padding=1), nn.BatchNorm2d(5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(45, 3), nn.Softmax(1),
    )  # fmt: skip
    networks = {
        "lenet": sp.models.LeNet(1, 3, width=3, num_hiddens=5),
        "mlp": sp.models.MLP(144, 3, [20]),
        "mixed": mixed,
    }
    for model in networks.values():  # the outputs of a trained network are larger
        list(model.parameters())[-2].data.mul_(20)
    made = {
        name: published._network(name, sp.Learner(task, parts, model=m), data, None)
        for name, m in networks.items()
    }
    decoder = sp.models.VAE(1, (8, 8), num_latents=5, num_hiddens=16).decoder
    plane = sp.models.VAE(1, (8, 8), num_latents=2, num_hiddens=16).decoder
    for name, model, width, classes in (
        ("told", decoder, 5, data.classes),
        ("plane", plane, 2, None),
    ):
        model = nn.Sequential(model, nn.Sigmoid())
        made[name] = published._network(name, model, torch.randn(4, width), classes)
    curvature = torch.tensor([1.0, 10.0])
    valley = published.Surface.of(
        lambda w: 0.5 * (curvature * w**2).sum(-1),
        extent=(-5, 5, -2, 2), start=(-4, 1.5), rates=(0.002, 0.8), points=(31, 41),
    )  # fmt: skip
    made["valley"] = published._surface(valley)
    return {name: {"name": name, **content} for name, content in made.items()}


KINDS = {
    "lenet": "draw", "mlp": "draw", "mixed": "draw", "told": "walk", "plane": "walk",
    "valley": "descend",
}  # fmt: skip


@pytest.fixture(scope="session")
def bare_page(tmp_path_factory):
    """A folder with a page of all figures, written as the book's pages are."""
    folder = tmp_path_factory.mktemp("live")
    cells = []
    for name, record in records().items():
        cell = nbformat.v4.new_code_cell("publish()", id=name, metadata={"alt": f"The {name}."})
        data = {live.LIVE: record, "image/png": PICTURE}
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    run = Executed("09", folder / "09.ipynb", notebook, notebook, "fast", 1, 1, 1, (), {}, ())
    parts = []
    for name, kind in KINDS.items():
        (block,) = myst.blocks(f"```{{live}} {kind}\n:model: {name}\n```")
        figure = live.expand(block, {"09": run}, slug="09", page="book/page", where="here")
        html = re.sub(r"```\{raw\} html\n|^```$\n?", "", figure.markdown, flags=re.MULTILINE)
        image = re.compile(r"```\{image\} (\S+)\n:alt: (.*)")
        html = image.sub(r'<img src="..\1" alt="\2">', html)
        parts.append(f'<section id="{name}"><h2>{name}</h2>{html}</section>')
        for path, content in figure.files.items():
            for target in (folder / path, folder / path.removeprefix("book/")):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    page = folder / "book" / "page.html"
    page.write_text(PAGE.format(figures="\n".join(parts)))
    return page


@pytest.fixture
def tab(browser, bare_page):
    """The bare page, opened from its folder; what went wrong and what was asked for."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.wrong, page.asked = [], []
    page.on("console", lambda m: page.wrong.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(bare_page.as_uri())
    yield page
    assert page.wrong == []
    context.close()


def begin(tab, name: str):
    """Press a figure's button, and wait until it stands."""
    figure = tab.locator(f"#{name} .live")
    figure.locator("button").click()
    figure.locator(".live-stage").wait_for()
    return figure


def shares(figure) -> list[float]:
    """The widths of a figure's bars, in per cent."""
    return figure.locator(".live-bars b").evaluate_all(
        "(all) => all.map((bar) => parseFloat(bar.style.width))"
    )


def test_nothing_loads_before_the_button_is_pressed(tab) -> None:
    assert tab.locator("button:visible").count() == len(KINDS)
    assert [url for url in tab.asked if url.endswith(".js")] == []
    begin(tab, "mlp")
    begin(tab, "lenet")
    loaded = [url.rpartition("/")[2].partition(".")[0] for url in tab.asked if url.endswith(".js")]
    assert set(loaded) == {"figures", "09-mlp", "09-lenet"}
    assert all(url.startswith(("file:", "data:")) for url in tab.asked)


@pytest.mark.parametrize("name", KINDS)
def test_the_page_computes_what_torch_computed(tab, name) -> None:
    figure = begin(tab, name)
    assert 0 <= float(figure.get_attribute("data-difference")) <= CLOSE
    assert "Careful" not in figure.inner_text()
    assert not figure.locator(".live-still").is_visible()


def test_a_page_that_computes_something_else_says_so(browser, bare_page, tmp_path) -> None:
    """The comparison can fail: one weight is changed after torch was asked."""
    (script,) = bare_page.parent.parent.glob("book/_static/live/09-mlp.*.js")
    record = json.loads(script.read_text().partition(" = ")[2].rstrip(";\n"))
    first = next(step for step in record["steps"] if step["op"] == "linear")
    first["bias"][0] += 1
    context = browser.new_context()
    page = context.new_page()
    changed = f'liveFigures.models["09/mlp"] = {json.dumps(record)};'
    page.route(f"**/{script.name}", lambda route: route.fulfill(body=changed))
    page.goto(bare_page.as_uri())
    figure = begin(page, "mlp")
    assert float(figure.get_attribute("data-difference")) > CLOSE
    assert "Careful" in figure.inner_text()
    context.close()


def test_what_is_drawn_is_judged_as_torch_judges_it(tab) -> None:
    """The picture on the canvas, read back and given to torch, gets the same probabilities."""
    figure = begin(tab, "mixed")
    box = figure.locator("canvas").first.bounding_box()
    tab.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
    tab.mouse.up()
    pixels = figure.locator("canvas").first.evaluate(READ)
    content = records()["mixed"]
    x = torch.tensor(pixels, dtype=torch.uint8).reshape(1, 1, 12, 12)
    expected = steps_by_torch(content, x)
    assert shares(figure) == pytest.approx([100 * p for p in expected.tolist()], abs=0.05)


def steps_by_torch(content: dict, x: torch.Tensor) -> torch.Tensor:
    """The outputs of the mixed network for one picture, from its published steps."""
    import base64

    import numpy as np

    raw = base64.b64decode(content["weights"]["data"])
    weights = torch.from_numpy(np.frombuffer(raw, np.float32).copy())

    def get(step: dict, name: str, *shape: int) -> torch.Tensor:
        begin, count = step[name]
        return weights[begin : begin + count].reshape(shape or -1)

    x = x.float()
    for step in content["steps"]:
        shape = step["shape"]
        match step["op"]:
            case "affine":
                scale, shift = get(step, "scale"), get(step, "shift")
                whole = [1] if len(scale) == 1 else shape
                x = x * scale.reshape(whole) + shift.reshape(whole)
            case "conv2d":
                kernel = get(step, "weight", shape[0], x.shape[1], 3, 3)
                x = torch.conv2d(x, kernel, get(step, "bias"), stride=2, padding=1)
            case "tanh":
                x = x.tanh()
            case "avg_pool2d":
                x = nn.functional.avg_pool2d(x, 2)
            case "reshape":
                x = x.flatten(1)
            case "linear":
                x = x @ get(step, "weight", shape[0], x.shape[1]).T + get(step, "bias")
            case "softmax":
                x = x.softmax(1)
    return x[0]


def test_drawing_with_keys(tab) -> None:
    figure = begin(tab, "lenet")
    board = figure.locator("canvas").first

    def bright() -> int:
        return sum(value > 0 for value in board.evaluate(READ))

    assert board.evaluate("(c) => c === document.activeElement")
    tab.keyboard.press("Delete")
    assert bright() == 0
    blank = shares(figure)
    for key in ("Enter", "ArrowDown", "ArrowDown", "ArrowLeft", "Enter", "ArrowUp"):
        tab.keyboard.press(key)
    drawn = bright()
    assert drawn > 4
    assert shares(figure) != blank
    tab.keyboard.press("ArrowUp")  # the pen is lifted
    assert bright() == drawn
    tab.keyboard.down(" ")
    for _ in range(4):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.up(" ")
    assert bright() > drawn


def test_the_tools_of_the_board(tab) -> None:
    figure = begin(tab, "mlp")
    board = figure.locator("canvas").first
    first = board.evaluate(READ)
    assert "Example 1 of 6: boot" in figure.inner_text()
    figure.get_by_role("button", name="Next example").click()
    assert "Example 2 of 6: coat" in figure.inner_text()
    assert board.evaluate(READ) != first
    figure.get_by_role("button", name="Clear").click()
    assert set(board.evaluate(READ)) == {0}
    assert "Your drawing" in figure.inner_text()
    board.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "Enter", "ArrowUp", "Enter"):
        tab.keyboard.press(key)
    figure.get_by_role("button", name="Move to the middle").click()
    rows = torch.tensor(board.evaluate(READ), dtype=torch.float).reshape(12, 12)
    middle = (rows.sum(1) * torch.arange(12)).sum() / rows.sum()
    assert abs(middle - 5.5) <= 0.5
    figure.get_by_role("button", name="Erase").click()
    assert figure.get_by_role("button", name="Erase").get_attribute("aria-pressed") == "true"
    box = board.bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert sum(board.evaluate(READ)) < rows.sum()


def test_walking_by_keys_pointer_and_sliders(tab) -> None:
    figure = begin(tab, "told")
    view = figure.get_by_role("img", name="What the decoder paints")
    said = view.get_attribute("aria-label")
    assert said == "What the decoder paints at z = (+0.00, +0.00)"
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowUp")
    assert view.get_attribute("aria-label").endswith("z = (+0.10, +0.50)")
    figure.locator("input[type=range]").first.focus()
    tab.keyboard.press("End")
    assert view.get_attribute("aria-label").endswith("z = (+3.00, +0.50)")
    box = figure.locator("canvas").first.bounding_box()
    tab.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"])
    assert view.get_attribute("aria-label").endswith("z = (−1.50, −1.50)")
    pixels = "(c) => c.toDataURL()"
    before = view.evaluate(pixels)
    figure.get_by_label("What to paint").select_option("dress")
    assert view.evaluate(pixels) != before


def test_choosing_a_learning_rate_and_a_start(tab) -> None:
    figure = begin(tab, "valley")
    rate = figure.get_by_role("slider", name="Learning rate")
    assert rate.evaluate("(e) => e === document.activeElement")
    tab.keyboard.press("Home")
    small = shares(figure)
    assert small == sorted(small, reverse=True)
    assert small[-1] > 50  # it crawls
    tab.keyboard.press("End")
    left = figure.locator(".live-bars li").last.inner_text()
    assert "left" in left
    figure.get_by_role("status").filter(has_text="leaves the picture at step").wait_for()
    canvas = figure.get_by_role("application")
    canvas.focus()
    for _ in range(30):
        tab.keyboard.press("ArrowUp")
    begun = figure.locator(".live-bars li").first.inner_text()
    tab.keyboard.press("ArrowRight")
    assert figure.locator(".live-bars li").first.inner_text() != begun
    box = canvas.bounding_box()
    rate.focus()
    tab.keyboard.press("Home")
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert max(shares(figure)) < 2  # it begins at the bottom


def test_a_figure_is_used_from_start_to_end_with_keys_alone(tab) -> None:
    own = "(e) => e.contains(document.activeElement)"
    figure = tab.locator("#mlp .live")
    for _ in range(len(KINDS)):  # the buttons that stand before it
        tab.keyboard.press("Tab")
        if figure.evaluate(own):
            break
    tab.keyboard.press("Enter")
    figure.locator(".live-stage").wait_for()
    canvas = figure.get_by_role("application")
    assert canvas.evaluate("(e) => e === document.activeElement")
    before = shares(figure)
    tab.keyboard.press("Delete")
    tab.keyboard.press("Enter")  # the pen goes down
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft"):
        tab.keyboard.press(key)
    tab.keyboard.press("Enter")
    drawn, pixels = shares(figure), canvas.evaluate(READ)
    assert drawn != before
    assert 3 < sum(value > 0 for value in pixels) < 60
    visited = []
    while figure.evaluate(own):  # no way leads in without one that leads out
        visited.append(
            tab.evaluate(
                "document.activeElement.innerText || "
                "document.activeElement.labels?.[0]?.innerText || ''"
            )
        )
        assert len(visited) < 12, visited
        tab.keyboard.press("Tab")
    assert [words.split("\n")[0] for words in visited[1:5]] == [
        "Clear", "Next example", "Erase", "Move to the middle",
    ]  # fmt: skip
    tab.keyboard.press("Shift+Tab")
    assert figure.evaluate(own)


def test_a_finger_draws(browser, bare_page) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(bare_page.as_uri())
    figure = page.locator("#mlp .live")
    figure.locator("button").tap()
    figure.locator(".live-stage").wait_for()
    figure.get_by_role("button", name="Clear").tap()
    canvas = figure.get_by_role("application")
    assert max(canvas.evaluate(READ)) == 0
    canvas.tap()
    assert max(canvas.evaluate(READ)) > 100
    # The page stays where it is while a finger draws.
    assert canvas.evaluate("(e) => getComputedStyle(e).touchAction") == "none"
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_figures_that_run(browser, bare_page, page_tools, scheme) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 844}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(bare_page.as_uri())
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", scheme)
    for name in KINDS:
        figure = begin(page, name)
        for button in figure.locator(".live-stage button").all():
            button.click()
    assert page.evaluate("document.getAnimations().length") == 0
    page.add_script_tag(path=page_tools / "node_modules/axe-core/axe.min.js")
    result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    context.close()
    assert len(result["passes"]) > 5, "axe looked at nothing"
    assert [
        f"{fault['impact']} {fault['id']}: {fault['nodes'][0]['html'][:160]}"
        for fault in result["violations"]
        if fault["impact"] in ("moderate", "serious", "critical")
    ] == []


def test_on_a_phone_nothing_is_too_wide_and_everything_has_a_name(tab) -> None:
    for name in KINDS:
        begin(tab, name)
    across = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert across <= 0, f"{across} pixels too wide"
    nameless = tab.evaluate(
        """() => [...document.querySelectorAll(".live-stage canvas, .live-stage input, "
          + ".live-stage select, .live-stage button")].filter((e) =>
          !(e.ariaLabel || e.labels?.[0]?.innerText || e.innerText)).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    low = tab.evaluate(
        """() => [...document.querySelectorAll(".live-stage button, .live-stage input")]
          .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)"""
    )
    assert low == []


def test_a_model_that_cannot_be_loaded_can_be_asked_for_again(browser, bare_page) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/figures.*.js", lambda route: route.abort())
    page.goto(bare_page.as_uri())
    button = page.locator("#mlp button")
    button.click()
    button.filter(has_text="Try again").wait_for()
    page.unroute("**/figures.*.js")
    button.click()
    page.locator("#mlp .live-stage").wait_for()
    context.close()


def test_without_scripts_the_picture_stands_and_no_button(browser, bare_page) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(bare_page.as_uri())
    assert page.locator(".live-still img").count() == len(KINDS)
    assert page.locator("button:visible").count() == 0
    context.close()


def test_the_book_has_the_figures_that_it_promises() -> None:
    promised = {("01", "draw"), ("04", "draw"), ("04", "descend"), ("21", "walk")}
    there = {(page.partition("/")[2][:2], kind) for page, kind in FIGURES}
    chapters = {path.stem[:2] for path in BOOK.chapter_paths()}
    assert {one for one in promised if one[0] in chapters} <= there


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", sorted({page for page, _ in FIGURES}))
def test_the_figures_of_the_book_compute_what_torch_computed(
    browser, address, book_site, page, scheme
) -> None:
    base = address(book_site)
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    tab, wrong = context.new_page(), []
    tab.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda r: None if r.url.startswith((base, "data:")) else wrong.append(r.url))
    tab.goto(f"{base}{page}.html")
    figures = tab.locator(".live").all()
    assert len(figures) == sum(one == page for one, _ in FIGURES)
    for figure in figures:
        assert figure.locator(".live-still img").get_attribute("alt")
        figure.locator(".live-start button").click()
        figure.locator(".live-stage").wait_for()
        assert float(figure.get_attribute("data-difference")) <= CLOSE
    across = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    context.close()
    assert wrong == []
    assert across <= 0
