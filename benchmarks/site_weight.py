"""What a page of the site weighs and how it is judged, beside the page of a stock Jupyter Book.

Both are made from the same executed chapters and served by the same server, which compresses text.
A real browser opens each page with an empty cache and scrolls to its end, so that pictures that
load when they are near are counted too; Lighthouse judges it on its simulated phone, in turns.
Where this machine has no network, what other hosts would send is neither counted nor waited for:
that flatters the stock pages, which ask them. Run `make book` before.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import stock
from playwright.sync_api import Browser, Error, sync_playwright
from report import ROOT, save, spread

from chapterhouse.site import server

sys.path.insert(0, str(ROOT / "tests" / "site"))
import lighthouse

PAGES = {"landing": "book/index", "chapter 1": "chapters/01_first_model",
         "chapter 4": "chapters/04_under_the_hood"}  # fmt: skip
OURS, STOCK = "chapterhouse site", "stock Jupyter Book"
HOST = "127.0.0.1"
_BROWSERS = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
_SCREEN_S = 0.15


@dataclass
class Load:
    """One page as a browser loads it: bytes on the wire, and the hosts that it asks."""

    bytes: int = 0
    picture_bytes: int = 0
    requests: int = 0
    elsewhere: int = 0
    unanswered: int = 0
    kinds: dict[str, str] = field(default_factory=dict)


def load(browser: Browser, address: str) -> Load:
    """Open a page with an empty cache and read it to its end."""
    found = Load()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    wire = context.new_cdp_session(tab)
    wire.send("Network.enable")

    def asked(event: dict[str, Any]) -> None:
        if urlsplit(event["request"]["url"]).scheme not in ("http", "https"):
            return
        found.requests += 1
        found.elsewhere += urlsplit(event["request"]["url"]).hostname != HOST
        found.kinds[event["requestId"]] = event.get("type", "")

    def ended(event: dict[str, Any]) -> None:
        if event["requestId"] not in found.kinds:
            return
        size = int(event["encodedDataLength"])
        found.bytes += size
        if found.kinds[event["requestId"]] == "Image":
            found.picture_bytes += size

    def failed(event: dict[str, Any]) -> None:
        found.unanswered += event["requestId"] in found.kinds

    wire.on("Network.requestWillBeSent", asked)
    wire.on("Network.loadingFinished", ended)
    wire.on("Network.loadingFailed", failed)
    tab.goto(address, wait_until="load")
    for _ in range(int(tab.evaluate("document.body.scrollHeight / innerHeight")) + 1):
        tab.mouse.wheel(0, 844)
        tab.wait_for_timeout(1000 * _SCREEN_S)
    try:
        tab.wait_for_load_state("networkidle", timeout=10_000)
    except Error:
        print(f"  {address} still loads; what has come is counted")
    context.close()
    return found


def scores(addresses: dict[str, str], runs: int) -> dict[str, dict[str, dict[str, float]]]:
    """Lighthouse's marks of each page from 0 to 100, every page in each round."""
    if not tools():
        return {name: {} for name in addresses}
    slowdown = phone(next(iter(addresses.values())))
    marks: dict[str, dict[str, list[float]]] = {name: {} for name in addresses}
    for number in range(runs):
        for name, address in addresses.items():
            report = lighthouse.run(address, slowdown)
            for kind, category in report["categories"].items():
                marks[name].setdefault(kind, []).append(100 * (category["score"] or 0))
            line = ", ".join(f"{kind} {values[-1]:.0f}" for kind, values in marks[name].items())
            print(f"  round {number + 1}, {name}: {line}", flush=True)
    return {
        name: {kind: spread(values, 0) for kind, values in found.items()}
        for name, found in marks.items()
    }


def phone(address: str) -> float:
    """How far to slow this machine down, for the same phone whichever machine it is."""
    index = lighthouse.run(address, lighthouse.SLOWDOWN)["environment"]["benchmarkIndex"]
    slowdown = lighthouse.SLOWDOWN * min(1.0, index / lighthouse.DESKTOP_INDEX)
    print(f"slowed down {max(1.0, slowdown):.1f} times (index {index:.0f})", flush=True)
    return max(1.0, slowdown)


def tools() -> bool:
    """Whether Lighthouse is there, or could be installed."""
    subprocess.run(["sh", str(ROOT / "tests/site/install_tools.sh")], check=False)
    if any(lighthouse.TOOLS.glob("done-*")):
        return True
    print("Lighthouse cannot be installed; pages are weighed and not judged")
    return False


def served(folders: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Each way and the address of its pages."""
    for way, folder in folders.items():
        yield way, f"http://{HOST}:{server.start(folder).server_port}/"


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of Lighthouse a page; default: 3")
    arguments = parser.parse_args()
    if not (ROOT / "_build/html/index.html").is_file():
        sys.exit("there is no site: run `make book` first")
    with tempfile.TemporaryDirectory() as name:
        book = Path(name).resolve() / "stock"
        stock.make(ROOT / "_build/site-source", book)
        print("building the stock book", flush=True)
        folders = {OURS: ROOT / "_build/html", STOCK: stock.build(book)}
        bases = dict(served(folders))
        addresses = {
            f"{page}: {way}": f"{bases[way]}{path}.html"
            for page, path in PAGES.items()
            for way in folders
        }
        loads = weigh(addresses)
        judged = scores(addresses, arguments.runs)
    save(
        "site_weight",
        "KB on the wire to load a page and read it to its end, and Lighthouse's marks",
        rows(loads, judged),
        ["jupyter-book", "sphinx-book-theme"],
        runs=arguments.runs,
        unanswered=sum(load.unanswered for load in loads.values()),
    )


def weigh(addresses: dict[str, str]) -> dict[str, Load]:
    """What each page loads."""
    program = next(path for name in _BROWSERS if name and (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        loads = {name: load(browser, address) for name, address in addresses.items()}
        browser.close()
    return loads


def rows(
    loads: dict[str, Load], judged: dict[str, dict[str, dict[str, float]]]
) -> dict[str, dict[str, Any]]:
    """One row a page and way; the ratio is of bytes without pictures to our page."""
    made = {}
    for name, found in loads.items():
        ours = loads[f"{name.rpartition(': ')[0]}: {OURS}"]
        text = found.bytes - found.picture_bytes
        ratio = text / (ours.bytes - ours.picture_bytes)
        made[name] = {
            "KB_without_pictures": round(text / 1024),
            "KB": round(found.bytes / 1024),
            "requests": found.requests,
            "to_other_hosts": found.elsewhere,
            "ratio": spread([ratio], 2),
            **{kind: round(mark["median"]) for kind, mark in judged[name].items()},
        }
        print(f"{name}: {made[name]}")
    return made


if __name__ == "__main__":
    main()
