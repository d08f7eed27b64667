"""What it takes to execute a book again: our run, plain papermill, and `jupyter-book build`.

All three execute the same small book, made here in a temporary folder: chapters that import torch
and the book's own library, and train for some steps. Each way is timed cold, with nothing changed,
after an edit of one library file that half of the chapters use, and after an edit of prose. A row
also says whether what is shown afterwards is right: the library's edit changes a printed number.
The time of one notebook that only imports torch is measured as well, kernel start to end.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from report import save

SETTINGS = '[tool.chapterhouse]\ntitle = "Bench"\nlibraries = ["lib/pond"]\n'
CONFIG = "title: Bench\nonly_build_toc_files: true\nexecute:\n  execute_notebooks: cache\n"
LIBRARY = {
    "__init__.py": "",
    "train.py": "import torch\n\ndef fit(steps):\n    model = torch.nn.Linear(8, 1)\n"
    "    optimizer = torch.optim.Adam(model.parameters())\n    for _ in range(steps):\n"
    "        loss = model(torch.randn(32, 8)).square().mean()\n        loss.backward()\n"
    "        optimizer.step()\n        optimizer.zero_grad()\n    return loss.item()\n",
    "depth.py": "METRES = 1\n",
}
EDITED = "METRES = 2\n"


def make_book(root: Path, count: int) -> None:
    """A book of `count` chapters in `root`; every second one uses the file that will be edited."""
    (root / "pyproject.toml").write_text(SETTINGS)
    (root / "_config.yml").write_text(CONFIG)
    for name, text in LIBRARY.items():
        path = root / "lib" / "pond" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    toc = ["format: jb-book", f"root: chapters/{slug(1)}", "chapters:"]
    toc += [f"- file: chapters/{slug(number)}" for number in range(2, count + 1)]
    (root / "_toc.yml").write_text("\n".join(toc) + "\n")
    (root / "chapters").mkdir()
    for number in range(1, count + 1):
        cells = [
            f"import sys\nsys.path.insert(0, {str(root / 'lib')!r})",
            "import torch, matplotlib.pyplot as plt\nfrom pond.train import fit",
            "print(f'{fit(steps) >= 0}')",
        ]
        if number % 2:
            cells.append("from pond.depth import METRES\nprint('metres', METRES)")
        nbformat.write(
            notebook(f"# Chapter {number}", cells), root / "chapters" / f"{slug(number)}.ipynb"
        )


def slug(number: int) -> str:
    return f"{number:02}_chapter"


def notebook(prose: str, cells: list[str]) -> nbformat.NotebookNode:
    parameters = nbformat.v4.new_code_cell("steps = 50", id="parameters")
    parameters.metadata.tags = ["parameters"]
    code = [nbformat.v4.new_code_cell(text, id=f"code-{i}") for i, text in enumerate(cells)]
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(prose, id="prose"), parameters, *code],
        metadata={
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}
        },
    )


def call(root: Path, *command: str) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [program, *command[1:]], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def ours(root: Path) -> None:
    call(root, "chapterhouse", "run")


def papermill(root: Path) -> None:
    (root / "_build").mkdir(exist_ok=True)
    for path in sorted((root / "chapters").glob("*.ipynb")):
        call(root, "papermill", "--no-progress-bar", str(path), str(root / "_build" / path.name))


def jupyter_book(root: Path) -> None:
    call(root, "jupyter-book", "build", ".", "--quiet")


def shown(root: Path, way: str) -> str:
    """What the first chapter shows as the library's number, wherever the way puts it."""
    if way == "jupyter-book with its cache":
        text = (root / "_build/html/chapters" / f"{slug(1)}.html").read_text()
    else:
        folder = root / ("_build/executed/fast" if way == "chapterhouse run" else "_build")
        text = (folder / f"{slug(1)}.ipynb").read_text()
    return "old" if "metres 1" in text else "new" if "metres 2" in text else "nothing"


WAYS: dict[str, Callable[[Path], None]] = {
    "chapterhouse run": ours,
    "plain papermill": papermill,
    "jupyter-book with its cache": jupyter_book,
}


def edit_library(root: Path) -> None:
    (root / "lib/pond/depth.py").write_text(EDITED)


def edit_prose(root: Path) -> None:
    path = root / "chapters" / f"{slug(2)}.ipynb"
    edited = nbformat.read(path, as_version=4)
    edited.cells[0].source += "\n\nOne more sentence."
    nbformat.write(edited, path)


def measure(way: str, count: int, folder: Path) -> dict[str, Any]:
    """Wall seconds of one way for each kind of change."""
    root = folder / way.replace(" ", "-")
    root.mkdir()
    make_book(root, count)
    row: dict[str, Any] = {}
    for name, change in (
        ("cold_s", None),
        ("nothing_changed_s", None),
        ("library_file_edited_s", edit_library),
        ("prose_edited_s", edit_prose),
    ):
        if change is not None:
            change(root)
        began = time.perf_counter()
        WAYS[way](root)
        row[name] = round(time.perf_counter() - began, 2)
    row["shown_after_the_library_edit"] = shown(root, way)
    shutil.rmtree(root)
    return row


def one_notebook(settings: dict[str, Any], repeats: int) -> float:
    """Median wall seconds from nothing to the end of a notebook that imports torch."""
    from nbclient import NotebookClient

    made = notebook("# Torch", ["import torch\nprint(torch.ones(1))"])
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        NotebookClient(made, **settings).execute()
        spent.append(time.perf_counter() - began)
    return round(sorted(spent)[len(spent) // 2], 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chapters", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5, help="of the single notebook")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        for way in WAYS:
            rows[way] = measure(way, arguments.chapters, Path(name).resolve())
            print(f"{way:30} {rows[way]}")
    warm = {"kernel_manager_class": "chapterhouse.run.warm.WarmKernelManager"}
    one_notebook(warm, 1)  # warms the process; that is paid once a run
    for way, settings in (("nbclient, warm kernel", warm), ("nbclient, its own kernel", {})):
        rows[way] = {"one_notebook_that_imports_torch_s": one_notebook(settings, arguments.repeats)}
        print(f"{way:30} {rows[way]}")
    save(
        "execution",
        f"wall seconds to execute a book of {arguments.chapters} chapters that import torch",
        rows,
        ["torch", "papermill", "nbclient", "jupyter-book", "jupyter-cache"],
    )


if __name__ == "__main__":
    main()
