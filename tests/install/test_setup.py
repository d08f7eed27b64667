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


def test_what_was_broken_off_moved_or_gone_is_made_anew(tree):
    assert setup(tree).returncode == 0
    (tree / ".venv/.unfinished").touch()
    assert "broken off" in setup(tree).stdout
    moved = tree.rename(tree.parent / "elsewhere é")
    done = setup(moved, ASKED=str(moved.parent / "asked"))
    assert "moved" in done.stdout
    assert done.returncode == 0
    (moved / ".venv/bin/python").unlink()
    assert "does not run" in setup(moved).stdout


def test_an_installation_that_fails_leaves_a_mark(tree):
    done = setup(tree, FAIL_WITH="error: something odd")
    assert done.returncode == 2
    assert (tree / ".venv/.unfinished").exists()
    assert "broken off" in setup(tree).stdout
    assert not (tree / ".venv/.unfinished").exists()


@pytest.mark.parametrize(
    ("complaint", "found"),
    [
        ("error: Failed to fetch: `x`\n  dns error", "could not be reached"),
        ("WARNING: Retrying: Failed to establish a new connection", "could not be reached"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "not what the lock names"),
        ("error: command 'gcc' failed: No such file", "compiled"),
        ("ERROR: [Errno 13] Permission denied: 'x'", "could not be written"),
        ("ERROR: No matching distribution found for x==1", "another machine or Python"),
        ("noise\nerror: a thing that nobody knows", "a thing that nobody knows"),
        ("", "without a word"),
    ],
)
def test_a_failure_is_said_in_words_with_a_fix_and_the_log(tree, complaint, found):
    raw = "\n".join(["raw line"] * 30)
    done = setup(tree, FAIL_WITH=f"{raw}\n{complaint}")
    assert done.returncode == 2
    assert found in done.stderr
    assert "raw line" not in done.stderr
    assert len(done.stderr.splitlines()) == 3
    assert "  fix: " in done.stderr
    log = tree / done.stderr.rsplit("the whole log: ", 1)[1].strip()
    assert "raw line" in log.read_text()


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


def test_a_home_that_cannot_be_written_is_done_without(tree, tmp_path):
    # A file where the home should be: not even root can make a folder in it.
    (tmp_path / "file").touch()
    env = {"HOME": str(tmp_path / "file"), "XDG_CACHE_HOME": "", "UV_CACHE_DIR": ""}
    text = (tmp_path / "bin/uv").read_text()
    (tmp_path / "bin/uv").write_text(text.replace('"$*" >>', '"$* $UV_NO_CACHE" >>'))
    done = setup(tree, **env)
    assert done.returncode == 0, done.stderr
    assert all(line.endswith(" 1") for line in asked(tree))
