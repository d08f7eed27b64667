"""The student notebook in a real kernel, and the local check with nothing but the base install."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from chapterhouse.course import Course
from chapterhouse.exercise import student

ANSWERS = {
    "04_sgd_step": "def sgd_step(params, grads, lr):\n"
    "    return [p if g is None else p - lr * g for p, g in zip(params, grads)]",
    "04_batches": "class Batches:\n    def __init__(self, *args, **kwargs):\n        pass",
}
# What only the extras bring, and a student's machine may lack.
EXTRAS = ("papermill", "nbconvert", "psutil", "rich", "sphinx", "yaml", "jupyter_client", "pytest")
BARE = f"""
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
from chapterhouse.exercise import check
assert "torch" not in sys.modules, "importing the check must not wait for torch"
check.load("04_f", '[{{"name": "a", "target": "f", "args": {{"$tuple": [2]}}, '
    '"kwargs": {{"$dict": []}}, "steps": [], "seed": 1, "keep_inputs": true, '
    '"check": {{"kind": "equal"}}, "message": "", '
    '"expected": 4}}]')
check("04_f", {{"f": lambda x: 2 * x}})
"""


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel_and_its_checks_tell_the_truth(tmp_path):
    notebook = student.build(Course.find(Path(__file__).parent), "04")
    for cell in notebook.cells:
        for exercise, answer in ANSWERS.items():
            if cell.cell_type == "code" and f"# exercise: {exercise}" in cell.source:
                cell.source = f"# exercise: {exercise}\n{answer}"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = {
        cell.id: "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    assert "Ready." in printed["setup"]
    assert "✔ one parameter" in printed["04-sgd-step-check"]
    assert "✘ five rows in twos" in printed["04-batches-check"]
    nbformat.validate(notebook)


def test_the_check_needs_only_the_base_install():
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "✔ a" in done.stdout
