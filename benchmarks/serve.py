"""How long an author waits for a page after saving prose, in a browser that has it open.

The book as it stands is copied to a temporary folder, executed and built; `chapterhouse
serve` previews it, and a real browser shows a page. A sentence is added to the page's file, and the
clock runs from before the save until the browser shows the sentence. Beside it the same pages as a
stock Jupyter Book: `jupyter-book build` again, which ends with files on disk and a browser that
must be told; and `sphinx-autobuild`, whose pages load themselves again as ours do.
"""

import argparse
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import stock
from playwright.sync_api import Page, sync_playwright
from report import ROOT, save, spread

PAGES = {"page": "book/how_to_read.md", "chapter": "chapters/04_under_the_hood.ipynb"}
OURS, AGAIN, AUTO = "chapterhouse serve", "jupyter-book build", "sphinx-autobuild"
PATIENCE_S = 240.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_BROWSERS = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")


def copy(folder: Path) -> None:
    """The tracked files, in a folder where nobody else builds."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def chapterhouse(folder: Path, *arguments: str) -> list[str]:
    """The command line of one of our commands on the copy."""
    command = [sys.executable, "-m", "chapterhouse.cli", "--course", str(folder)]
    return [*command, *arguments]


def environment(folder: Path) -> dict[str, str]:
    """The copy's own packages, and one thread a process."""
    return {**os.environ, "PYTHONPATH": str(folder / "lib"), "PYTHONUNBUFFERED": "1"}


def prepare(folder: Path) -> None:
    """Copy the book, execute it and build its site.

    Raises:
        SystemExit: a chapter fails, or the site cannot be built.
    """
    copy(folder)
    print("executing the copy and building its site", flush=True)
    for command in ("run", "site"):  # what a run used counts by its place, and that is another
        done = subprocess.run(
            chapterhouse(folder, command), env=environment(folder), stdout=subprocess.DEVNULL
        )
        if done.returncode:
            sys.exit(f"the copy stopped at `chapterhouse {command}`")


def edit(path: Path, words: str) -> None:
    """Add a sentence to a page, or to the first text of a chapter."""
    if path.suffix == ".md":
        path.write_text(f"{path.read_text()}\n{words}\n")
        return
    notebook = json.loads(path.read_text())
    cell = notebook["cells"][0]
    cell["source"] = "".join(cell["source"]) + f"\n\n{words}"
    path.write_text(json.dumps(notebook, indent=1) + "\n")


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[str]:
    """A server that goes on until the end of the block; its address.

    Raises:
        SystemExit: it ends, or says no address, before the patience is over.
    """
    process = subprocess.Popen(
        command, cwd=folder, env=environment(folder), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=lambda: [*map(lines.put, process.stdout)], daemon=True).start()
    said = ""
    try:
        began = time.monotonic()
        while (found := _ADDRESS.search(said)) is None:
            if process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                sys.exit(f"{command[2:4]} did not begin to serve:\n{said[-2000:]}")
            with contextlib.suppress(queue.Empty):
                said += lines.get(timeout=0.1)
        yield found[0]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def in_browser(folder: Path, address: str, rounds: int, tab: Page) -> dict[str, list[float]]:
    """Seconds from each save to the sentence on the page that the browser has open."""
    seconds: dict[str, list[float]] = {kind: [] for kind in PAGES}
    for number in range(rounds):
        for kind, name in PAGES.items():
            # The server may not answer at once while it makes its first build.
            for _ in range(int(PATIENCE_S)):
                with contextlib.suppress(Exception):
                    tab.goto(f"{address}/{name.rpartition('.')[0]}.html")
                    break
                time.sleep(1)
            words = f"These words are number {number} of the {kind}."
            began = time.perf_counter()
            edit(folder / name, words)
            tab.get_by_text(words).first.wait_for(timeout=PATIENCE_S * 1000)
            seconds[kind].append(time.perf_counter() - began)
            print(f"  {kind}: {seconds[kind][-1]:.2f} s", flush=True)
    return seconds


def by_command(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of a `jupyter-book build` after each save, to the page on disk."""
    seconds: dict[str, list[float]] = {kind: [] for kind in PAGES}
    for number in range(rounds):
        for kind, name in PAGES.items():
            words = f"These words are number {number} of the {kind}."
            began = time.perf_counter()
            edit(folder / name, words)
            html = stock.build(folder)
            seconds[kind].append(time.perf_counter() - began)
            if words not in (html / name).with_suffix(".html").read_text():
                sys.exit(f"jupyter-book did not renew {name}")
            print(f"  {kind}: {seconds[kind][-1]:.2f} s", flush=True)
    return seconds


def autobuild(book: Path) -> list[str]:
    """Give the stock book a ``conf.py``; the command that previews it."""
    subprocess.run([stock.PROGRAM, "config", "sphinx", str(book)], check=True, capture_output=True)
    return [
        sys.executable, "-W", "ignore", "-m", "sphinx_autobuild", str(book),
        str(book.parent / "autobuild"), "--port", "0", "--ignore", str(book / "_build"), "--quiet",
    ]  # fmt: skip


def measure(folder: Path, rounds: int, peers: int) -> dict[str, dict[str, list[float]]]:
    """The seconds of each way, one after the other: each builds on while the next would begin."""
    ours, book = folder / "ours", folder / "stock"
    prepare(ours)
    stock.make(ours / "_build/site-source", book)
    found: dict[str, dict[str, list[float]]] = {}
    serve = chapterhouse(ours, "serve", "--port", "0")
    ways: dict[str, Callable[[], tuple[list[str], Path, int]]] = {
        OURS: lambda: (serve, ours, rounds),
        AUTO: lambda: (autobuild(book), book, peers),
    }
    program = next(path for name in _BROWSERS if name and (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for way, prepared in ways.items():
            print(way, flush=True)
            command, place, turns = prepared()
            with running(command, place) as address:
                found[way] = in_browser(place, address, turns, browser.new_page())
        browser.close()
    print(AGAIN, flush=True)
    (book / "conf.py").unlink()
    stock.build(book)
    found[AGAIN] = by_command(book, peers)
    return found


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of our preview; default: 5")
    parser.add_argument("--peers", type=int, default=3, help="rounds of each peer; default: 3")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder).resolve(), arguments.rounds, arguments.peers)
    rows: dict[str, Any] = {}
    for kind in PAGES:
        first = spread(found[OURS][kind], 2)["median"]
        for way in (OURS, AUTO, AGAIN):
            seconds = found[way][kind]
            ratio = spread([value / first for value in seconds], 2)
            rows[f"{kind}: {way}"] = {"seconds": spread(seconds, 2), "ratio": ratio}
    what = "seconds from saving an edit of prose to the page that shows it"
    packages = ["sphinx", "jupyter-book", "myst-nb", "sphinx-autobuild"]
    save("serve", what, rows, packages, rounds=arguments.rounds, peer_rounds=arguments.peers)


if __name__ == "__main__":
    main()
