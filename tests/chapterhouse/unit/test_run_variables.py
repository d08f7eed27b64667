"""Which environment variables count, and how a change of one is told; never its value."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from chapterhouse.run import variables
from chapterhouse.run.variables import ALL, ALL_NUMERICS, changes, digest

# Runs code as a chapter's and as a package's, and says which variables count for it.
PROGRAM = """
import json, os, sys
from chapterhouse.run.variables import Variables
used = []
watched = Variables([], used.append).watch()
exec(compile(sys.argv[1], sys.prefix + "/package.py", "exec"), {"__name__": "package", "os": os})
exec(sys.argv[2], {"__name__": "__main__", "os": os})
print(json.dumps([watched.report(), watched.report(everything=True), sorted(set(used))]))
"""


def counted(package: str, chapter: str, **env: str) -> tuple[dict[str, str], set[str], set[str]]:
    """What counts; the names that count if all are inherited; and the names that were told."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, package, chapter],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/bin", "HOME": "/root", **env},
        capture_output=True,
        text=True,
        check=True,
    )
    report, everything, used = json.loads(done.stdout)
    for told in (report, everything):
        del told[ALL_NUMERICS], told["PYTHONPATH"]
    return report, set(everything), {name for name in used if name != "$PYTHONPATH"}


@pytest.mark.parametrize(
    ("package", "chapter", "names"),
    [
        ("", "os.environ['SET']", {"SET"}),
        ("", "os.getenv('UNSET')", {"UNSET"}),
        ("", "'UNSET' in os.environ", {"UNSET"}),
        ("", "os.environ.pop('SET')", {"SET"}),
        ("", "os.environ.setdefault('UNSET', '1')", {"UNSET"}),
        ("", "os.environb[b'SET']", {"SET"}),
        ("", "os.environ['SET'] = '2'; os.environ['SET']", set()),
        ("", "del os.environ['SET']; os.getenv('SET')", {"SET"}),
        ("", "os.path.expanduser('~')", {"HOME"}),
        ("", "os.path.expandvars('$SET/$PATH')", {"PATH", "SET"}),
        ("os.environ['PATH']; os.environ['SET']", "", {"SET"}),
        ("os.path.expanduser('~')", "", set()),
        ("list(os.environ.items())", "", set()),
        ("", "os.environ['PWD'] if 'PWD' in os.environ else 0", set()),
        ("", "os.environ.get('OMP_UNSET')", set()),  # all of those count anyway
    ],
)
def test_what_is_read_counts(package, chapter, names) -> None:
    report, _, used = counted(package, chapter, SET="1")
    assert set(report) == names
    assert used - {"$OMP_UNSET"} == {f"${name}" for name in names}


def test_who_goes_through_all_or_inherits_them_uses_all_but_the_sessions() -> None:
    report, everything, _ = counted("", "dict(os.environ.items())", SET="1", TERM="x", OMP_A="1")
    assert set(report) == everything == {ALL, "SET", "OMP_A"}
    report, everything, _ = counted("", "", SET="1", OMP_A="1")
    assert set(report) == {"OMP_A"}
    assert everything == {ALL, "SET", "OMP_A"}


def test_the_value_at_the_start_counts_and_is_kept_as_a_hash_only() -> None:
    chapter = "os.environ['SET']; os.environ['SET'] = 'later'"
    report, *_ = counted("", chapter, SET="a secret")
    assert report == {"SET": digest("SET", "a secret")}
    assert "secret" not in json.dumps(report)


def test_changes_are_told_by_name() -> None:
    before = {ALL_NUMERICS: "", "A": digest("A", "1"), "B": digest("B", "1"), "C": ""}
    now = {"A": "2", "C": "1", "OMP_NEW": "1", "TERM": "x", "NEW": "1"}
    assert list(changes(before, now)) == [
        ("A", "changed"),
        ("B", "is no longer set"),
        ("C", "is set now"),
        ("OMP_NEW", "is set now"),
    ]
    everything = {**before, ALL: ""}
    assert ("NEW", "is set now") in changes(everything, now)
    assert list(changes({}, now)) == []
    assert list(changes(before, {"A": "1", "B": "1"})) == []


def test_no_pattern_shadows_another() -> None:
    assert not set(variables.SESSION) & set(variables.NUMERICS)
    for name in ("PATH", "SSH_TTY", "LC_TIME"):
        assert variables.named(name, variables.SESSION)
    for name in ("PATHS", "SSHX", "_X"):
        assert not variables.named(name, variables.SESSION + variables.PRIVATE)
