"""`exercise verify` accepts a good exercise and refuses each kind of bad one."""

import pytest

from chapterhouse.exercise.folder import load
from chapterhouse.grade.fake import FakeSandbox
from chapterhouse.grade.verify import expect, verify

MATTER = """\
---
id: 04_clip
chapter: 04_shapes
title: Between two numbers
points: 2
difficulty: 1
---
Write `clip(x, low, high)`.
"""
SOLUTION = """\
def clip(x, low, high):
    # BEGIN SOLUTION
    span = high - low
    if x > low + span:  # equivalent: at the edge both branches give high
        return high
    if x < low:  # equivalent: at the edge both branches give low
        return low
    return x
    # END SOLUTION
"""
CASES = """\
from chapterhouse.exercise import Case


def cases(rng):
    x = float(rng.uniform(2, 3))
    yield Case("inside", "clip", args=(x, -4.0, 5.0), visible=True)
    yield Case("above", "clip", args=(x, 0.0, 1.0), message="Look at high.")
    yield Case("below", "clip", args=(x, 4.0, 5.0), message="Look at low.")
"""
SUBMISSIONS = {
    "ac_sorted.py": "def clip(x, low, high):\n    return sorted([low, x, high])[1]\n",
    "pa_forgets_low.py": "def clip(x, low, high):\n    return min(x, high)\n",
    "wa_sign.py": "def clip(x, low, high):\n    return -sorted([low, x, high])[1]\n",
    "re_typo.py": "def clip(x, low, high):\n    return hihg\n",
    "ce_indent.py": "def clip(x, low, high):\nreturn x\n",
    "esc_returns_nothing.py": "def clip(x, low, high):\n    return None\n",
}


@pytest.fixture
def make(tmp_path):
    def write(**changes):
        path = tmp_path / "04_clip"
        (path / "submissions").mkdir(parents=True)
        files = {"exercise.md": MATTER, "solution.py": SOLUTION, "cases.py": CASES}
        for name, text in {**files, **changes.get("files", {})}.items():
            (path / name).write_text(text)
        for name, text in {**SUBMISSIONS, **changes.get("submissions", {})}.items():
            if text is not None:
                (path / "submissions" / name).write_text(text)
        exercise = load(path)
        if changes.get("expect", True):
            expect(exercise, FakeSandbox())
        return exercise

    return write


def faults(exercise):
    found = verify(exercise, FakeSandbox())
    assert found
    return {finding.what: finding.fault for finding in found if finding.fault is not None}


def test_a_good_exercise_passes_with_every_kind_of_claim(make):
    exercise = make()
    assert faults(exercise) == {}
    tried = {finding.what for finding in verify(exercise, FakeSandbox())}
    assert {f"submissions/{name}" for name in SUBMISSIONS} < tried
    assert {"inputs follow the seed", "the starter earns nothing"} < tried
    assert any(what.startswith("mutant of line") for what in tried)


def test_findings_are_told_as_they_are_made(make):
    seen = []
    assert verify(make(), FakeSandbox(), each=seen.append) == seen


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("wa_right.py", SUBMISSIONS["ac_sorted.py"], "got ac (accepted)"),
        ("ac_wrong.py", SUBMISSIONS["wa_sign.py"], "got wa (wrong): inside"),
        ("esc_gets_through.py", SUBMISSIONS["ac_sorted.py"], "an escape ended with 'accepted'"),
        ("xx_prefix.py", "x = 1", "its name must start with one of"),
        ("ms_missing.py", "x = 1", "its name must start with one of"),
    ],
)
def test_a_submission_that_belies_its_name(make, name, text, words):
    found = faults(make(submissions={name: text}))
    assert list(found) == [f"submissions/{name}"]
    assert words in found[f"submissions/{name}"]


def test_a_mutant_that_survives(make):
    cases = CASES[: CASES.index('    yield Case("below"')]
    found = faults(
        make(files={"cases.py": cases, "solution.py": SOLUTION.replace("  # equ", "  #")})
    )
    survivors = [what for what in found if what.startswith("mutant")]
    assert any("line 6" in what for what in survivors)
    assert "it is accepted; add a case" in found[survivors[0]]


def test_inputs_that_do_not_follow_the_seed(make):
    cases = "import random\n" + CASES.replace("rng.uniform(2, 3)", "random.uniform(2, 3)")
    assert (
        "draw everything from `rng`"
        in faults(make(files={"cases.py": cases}))["inputs follow the seed"]
    )


def test_inputs_that_are_always_the_same(make):
    cases = CASES.replace("float(rng.uniform(2, 3))", "2.5")
    found = faults(make(files={"cases.py": cases}))
    assert "hard-coded answers would pass" in found["inputs are fresh for each submission"]


def test_a_starter_that_earns_points(make):
    solution = SOLUTION.replace("    span", "    # STARTER: return x\n    span", 1)
    assert (
        "it earns 0.66"
        in faults(make(files={"solution.py": solution}))["the starter earns nothing"]
    )


def test_a_reference_that_is_not_the_same_twice(make):
    solution = "import random\n" + SOLUTION.replace("return x\n", "return x + random.random()\n")
    found = faults(make(files={"solution.py": solution}))
    assert "inside: " in found["the reference is accepted (seed 0)"]


def test_a_reference_that_raises(make):
    exercise = make()
    (exercise.path / "solution.py").write_text(SOLUTION.replace("return x\n", "return y\n"))
    found = faults(load(exercise.path))
    assert any("The reference raised NameError in the case 'inside'" in f for f in found.values())


def test_a_visible_json_that_is_missing_or_old(make):
    exercise = make(expect=False)
    assert "it does not exist" in faults(exercise)["visible.json is up to date"]
    expect(exercise, FakeSandbox())
    text = exercise.visible_path.read_text()
    exercise.visible_path.write_text(text.replace('"inside"', '"outside"'))
    assert "the visible cases have changed" in faults(exercise)["visible.json is up to date"]
    head, _, tail = text.rpartition('"expected": ')
    exercise.visible_path.write_text(head + '"expected": 9.5' + tail[tail.index("}") :])
    assert "the case 'inside' has changed" in faults(exercise)["visible.json is up to date"]


def test_too_few_submissions(make):
    none = dict.fromkeys(SUBMISSIONS)
    found = faults(make(submissions={**none, "ac_a.py": SUBMISSIONS["ac_sorted.py"]}))
    assert "fewer than 2" in found["there are submissions of both kinds"]


def test_without_mutants_more_submissions_must_fail(make):
    none = dict.fromkeys(SUBMISSIONS)
    kept = {name: SUBMISSIONS[name] for name in ("ac_sorted.py", "wa_sign.py", "re_typo.py")}
    files = {"exercise.md": MATTER.replace("difficulty: 1", "difficulty: 1\nmutants: 0")}
    found = faults(make(submissions={**none, **kept}, files=files))
    assert list(found) == ["there are submissions of both kinds"]
    assert "fewer than 4" in found["there are submissions of both kinds"]


def test_no_other_right_way(make):
    found = faults(make(submissions={"ac_sorted.py": None}))
    assert "no submission starts with ac_" in found["there are submissions of both kinds"]
