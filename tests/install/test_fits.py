"""What a Python cannot have is said in words, before anything is downloaded."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/fits.py"
FITS = runpy.run_path(str(SCRIPT))
GOOD = {
    "version": (3, 11), "implementation": "CPython", "bits": 64, "free_threaded": False,
    "system": "linux", "machine": "x86_64", "libc": "glibc", "venv": True,
    "compiler": False, "headers": False,
}  # fmt: skip
MISFITS = [
    ({"version": (3, 10)}, "Python 3.10 was found", "3.11"),
    ({"version": (3, 14)}, "Python 3.14 was found", "PYTHON=/path/to"),
    ({"implementation": "PyPy"}, "PyPy was found", "CPython 3.11"),
    ({"bits": 32}, "32 bits", "PYTHON="),
    ({"version": (3, 13), "free_threaded": True}, "free-threaded", "PYTHON="),
    ({"libc": "musl"}, "musl", "glibc"),
    ({"libc": "old glibc"}, "older than 2.28", "2019"),
    ({"system": "darwin"}, "Intel", "Apple"),
    ({"venv": False}, "without venv", "python3.11-venv"),
    ({"version": (3, 13)}, "quickjs", "gcc"),
    ({"version": (3, 13), "compiler": True}, "header files", "python3.13-dev"),
]


@pytest.mark.parametrize(("change", "found", "fix"), MISFITS, ids=[m[1] for m in MISFITS])
def test_a_misfit_is_named_with_its_fix(change, found, fix):
    said = FITS["misfit"](GOOD | change)
    assert said is not None
    assert found in said[0]
    assert fix in said[1]


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_the_named_pythons_fit(version):
    assert FITS["misfit"](GOOD | {"version": version, "compiler": True, "headers": True}) is None


def test_the_python_that_runs_the_tests_fits():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_written_for_old_pythons_too():
    text = SCRIPT.read_text()
    # Python 2 reads no f-string and no annotation; without a coding line it reads ASCII only.
    assert text.isascii()
    assert ' f"' not in text
    assert "->" not in text
