"""What measures the preview and the weight of pages counts what it says that it counts."""

import importlib.util
import json
import shutil
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from chapterhouse.site import server

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark():
    """A function from a name to the module of that benchmark."""
    folders = [str(ROOT / "benchmarks"), str(ROOT / "tests/site")]
    before = set(sys.modules)
    sys.path[:0] = folders

    def load(name: str) -> ModuleType:
        path = ROOT / "benchmarks" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"bench_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    for folder in folders:
        sys.path.remove(folder)
    for name in {"report", "stock", "lighthouse"} - before:
        sys.modules.pop(name, None)


def test_a_stock_book_has_the_pages_and_none_of_our_settings(benchmark, tmp_path):
    staged = tmp_path / "staged"
    (staged / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", staged)
    (staged / "book/index.md").write_text("# Page\n")
    benchmark("stock").make(staged, tmp_path / "stock")
    config = (tmp_path / "stock/_config.yml").read_text()
    made = yaml.safe_load(config)
    assert "chapterhouse" not in config
    assert made["execute"] == {"execute_notebooks": "off"}
    assert "html" not in made
    assert made["title"] == yaml.safe_load((ROOT / "_config.yml").read_text())["title"]
    assert (tmp_path / "stock/book/index.md").read_text() == "# Page\n"


def test_an_edit_adds_words_to_prose_and_leaves_code_alone(benchmark, tmp_path):
    edit = benchmark("serve").edit
    page, chapter = tmp_path / "page.md", tmp_path / "chapter.ipynb"
    page.write_text("# Page\n")
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "b"]},
        {"cell_type": "code", "source": "x = 1"},
    ]
    chapter.write_text(json.dumps({"cells": cells}))
    edit(page, "More words.")
    edit(chapter, "More words.")
    assert page.read_text() == "# Page\n\nMore words.\n"
    changed = json.loads(chapter.read_text())["cells"]
    assert changed[0]["source"] == "# A\nb\n\nMore words."
    assert changed[1] == cells[1]


def picture() -> bytes:
    """A grey picture of 64 × 64 pixels that does not compress to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    pixels = b"".join(b"\0" + bytes((x * y * 7) % 256 for x in range(64)) for y in range(64))
    head = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(pixels, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


def test_a_page_is_weighed_to_its_end_and_other_hosts_are_counted(benchmark, tmp_path):
    measure = benchmark("site_weight")
    (tmp_path / "far.png").write_bytes(picture())
    (tmp_path / "page.html").write_text(
        '<html><body><script src="http://other.invalid/a.js"></script>'
        '<p style="height:6000px">far</p><img loading="lazy" width="64" height="64" '
        'alt="" src="far.png"></body></html>'
    )
    running = server.start(tmp_path)
    try:
        address = f"http://127.0.0.1:{running.server_port}/page.html"
        # In a thread of its own: another test's browser may have left its loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(measure.weigh, {"page: ours": address}).result()["page: ours"]
    finally:
        running.shutdown()
        running.server_close()
    assert found.elsewhere == found.unanswered == 1
    assert found.requests >= 3
    assert 4096 < found.picture_bytes < 6000
    assert 100 < found.bytes - found.picture_bytes < 3000


def test_ratios_are_to_our_page_and_leave_pictures_out(benchmark):
    measure = benchmark("site_weight")
    ours, stock = f"a: {measure.OURS}", f"a: {measure.STOCK}"
    loads = {
        ours: measure.Load(bytes=3072, picture_bytes=1024, requests=3),
        stock: measure.Load(bytes=9216, picture_bytes=1024, requests=9, elsewhere=4),
    }
    marks = {name: {"performance": {"median": 97.0, "min": 96.0, "max": 98.0}} for name in loads}
    rows = measure.rows(loads, marks)
    assert rows[ours]["ratio"]["median"] == 1
    assert rows[stock]["ratio"]["median"] == 4
    assert rows[stock]["KB_without_pictures"] == 8
    assert rows[stock]["to_other_hosts"] == 4
    assert rows[ours]["performance"] == 97


@pytest.mark.parametrize(("index", "slowdown"), [(3200, 4.0), (1600, 4.0), (800, 2.0), (200, 1.0)])
def test_a_slow_machine_is_slowed_down_less(benchmark, monkeypatch, index, slowdown):
    measure = benchmark("site_weight")
    monkeypatch.setattr(
        measure.lighthouse, "run", lambda *_: {"environment": {"benchmarkIndex": index}}
    )
    assert measure.phone("http://127.0.0.1/") == slowdown
