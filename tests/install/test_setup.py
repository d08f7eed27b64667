"""How the environment is made, tried with an installer that only writes down what it is asked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# It answers as uv does, and leaves what a package with a command leaves, or fails with FAIL_WITH.
UV = """#!/bin/sh
echo "$*" >>"$ASKED"
if [ -n "${FAIL_WITH:-}" ]; then printf '%s\\n' "$FAIL_WITH" >&2; exit 1; fi
case "$*" in *"-e ."*) printf '#!%s/.venv/bin/python\\n' "$PWD" >.venv/bin/chapterhouse ;; esac
"""

# The Python of these tests; an environment of it is bare, which takes no seconds.
PYTHON = f"""#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then set -- -m venv --without-pip "$3"; fi
exec {sys.executable} "$@"
"""


@pytest.fixture
def tree(tmp_path):
    """A tree in an odd path, and its scripts."""
    folder = tmp_path / "Bücher für später, n° 1"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for lock in ROOT.glob("requirements-*.lock"):
        shutil.copy(lock, folder)
    (tmp_path / "bin").mkdir()
    for name, text in (("uv", UV), ("python-bare", PYTHON)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return folder


def setup(tree, **env):
    path = f"{tree.parent / 'bin'}:{os.environ['PATH']}"
    base = {k: v for k, v in os.environ.items() if k not in ("VENV", "INSTALLER", "TORCH_VERSION")}
    env = {"PYTHON": "python-bare", "ASKED": str(tree.parent / "asked"), "PATH": path} | env
    return subprocess.run(
        [tree / "scripts/setup.sh"], env=base | env, cwd="/", capture_output=True, text=True
    )


def asked(tree):
    file = tree.parent / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_the_hashed_lock_comes_first_then_torch_then_ourselves(tree):
    done = setup(tree, PIP_FIND_LINKS="/a/folder")
    assert (done.returncode, done.stderr) == (0, "")
    lock, torch, ours = asked(tree)
    assert "--no-deps --require-hashes -r requirements-dev.lock" in lock
    assert "--find-links /a/folder" in torch
    assert " torch==" in torch
    assert "--no-deps --no-build-isolation -e ." in ours
    assert not (tree / ".venv/.unfinished").exists()
    # The second time nothing is made anew.
    again = setup(tree)
    assert "anew" not in again.stdout


def test_an_installation_that_fails_leaves_a_mark(tree):
    done = setup(tree, FAIL_WITH="error: something odd")
    assert done.returncode == 2
    assert (tree / ".venv/.unfinished").exists()
    assert "broken off" in setup(tree).stdout
    assert not (tree / ".venv/.unfinished").exists()


@pytest.mark.parametrize("python", ["/nonexistent/python3.12", "python9.9"])
def test_a_python_that_is_not_there_is_no_other_python(tree, python):
    done = setup(tree, PYTHON=python)
    assert done.returncode == 2
    assert f"PYTHON={python} was given" in done.stderr
    assert not (tree / ".venv").exists()
    assert asked(tree) == []


def test_a_python_that_does_not_fit_makes_nothing(tree):
    old = tree.parent / "bin/old"
    old.write_text(
        "#!/bin/sh\n[ \"$1\" = -c ] && exit 0\necho 'Python 3.10 was found' >&2; exit 2\n"
    )
    old.chmod(0o755)
    done = setup(tree, PYTHON=str(old))
    assert (done.returncode, done.stderr) == (2, "Python 3.10 was found\n")
    assert not (tree / ".venv").exists()
    assert asked(tree) == []
