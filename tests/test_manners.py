"""What an open project owes those who find it: files that other tools read, and that agree."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

from chapterhouse.course import Course
from chapterhouse.site import settings

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))
# Folders with text that people write, and what must not be touched there.
WRITTEN = ("lib", "tests", "scripts", "benchmarks", "book", "chapters", "exercises", ".github")
SUFFIXES = {".py", ".md", ".yml", ".yaml", ".toml", ".cff", ".sh", ".js", ".css", ".bib"}
AS_IT_IS = re.compile(
    r"tests/golden/|exercises/[^/]+/submissions/ce_|/\.ipynb_checkpoints/|/_build/"
)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def on(workflow: dict[Any, Any]) -> dict[str, Any]:
    """When a workflow runs; YAML 1.1 takes the key for a truth value."""
    return workflow[True]


def steps(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in read(path)["jobs"].items():
        for step in job.get("steps", []):
            yield name, step


def written() -> Iterator[Path]:
    own = [path for path in ROOT.iterdir() if path.is_file()]
    for path in own + [p for name in WRITTEN for p in sorted((ROOT / name).rglob("*"))]:
        kept = AS_IT_IS.search(path.relative_to(ROOT).as_posix())
        if path.is_file() and not kept and (path.suffix in SUFFIXES or path.name == "Makefile"):
            yield path


def test_both_packages_say_that_they_are_typed_and_the_wheel_carries_it() -> None:
    included = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {"sprat/py.typed", "chapterhouse/py.typed"} <= included
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]


def test_every_yaml_file_can_be_read() -> None:
    found = [
        *ROOT.glob("*.yml"),
        *ROOT.glob(".*.yaml"),
        ROOT / "CITATION.cff",
        *(ROOT / ".github").rglob("*.yml"),
    ]
    assert len(found) >= 10
    for path in found:
        assert isinstance(read(path), dict), path


def test_the_tests_are_the_command_of_the_readme() -> None:
    runs = [step.get("run") for name, step in steps(ROOT / ".github/workflows/tests.yml")]
    assert "make test" in runs
    workflow = read(ROOT / ".github/workflows/tests.yml")
    setup = [s for n, s in steps(ROOT / ".github/workflows/tests.yml") if n == "everything"]
    assert any(s.get("with", {}).get("python-version") == "3.11" for s in setup)
    others = set(workflow["jobs"]["quick"]["strategy"]["matrix"]["python"])
    classified = {
        c.rpartition(" ")[2]
        for c in PROJECT["project"]["classifiers"]
        if re.search(r"Python :: 3\.\d+$", c)
    }
    assert others | {"3.11"} == classified
    assert "make lint PYTHON=python${{ matrix.python }}" in runs
    assert {"pull_request", "workflow_call"} <= set(on(workflow))


def test_the_site_is_strict_and_waits_for_the_tests() -> None:
    workflow = read(ROOT / ".github/workflows/site.yml")
    jobs = workflow["jobs"]
    assert jobs["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert (ROOT / jobs["tests"]["uses"]).is_file()
    assert set(jobs["publish"]["needs"]) == {"tests", "build"}
    runs = [s.get("run", "") for _, s in steps(ROOT / ".github/workflows/site.yml")]
    assert ".venv/bin/chapterhouse site --strict" in runs
    assert runs.index("make book") < runs.index(".venv/bin/chapterhouse site --strict")
    assert on(workflow)["push"] == {"branches": ["main"]}


def test_the_site_goes_where_links_into_colab_lead(tmp_path: Path) -> None:
    for name in ("_toc.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    config = (ROOT / "_config.yml").read_text()
    config = config.replace('baseurl: ""', "baseurl: https://somebody.github.io/course/")
    (tmp_path / "_config.yml").write_text(config)
    address = settings.load(Course.find(tmp_path)).colab_url("colab/01_first_model.ipynb")
    assert address is not None
    branch, folder, _ = address.partition("/blob/")[2].split("/")
    (push,) = [
        s for _, s in steps(ROOT / ".github/workflows/site.yml") if "push" in s.get("run", "")
    ]
    assert f"git init -q -b {branch}\n" in push["run"]
    assert re.search(rf"push -q --force \\\s.* {branch}\n", push["run"])
    assert f"{folder}/*.ipynb" in push["run"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_little_and_ends(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    writers = [n for n, j in workflow["jobs"].items() if "write" in str(j.get("permissions"))]
    assert writers == (["publish"] if path.stem == "site" else [])
    for name, job in workflow["jobs"].items():
        assert "uses" in job or 5 <= job["timeout-minutes"] <= 240, name
        # A moving label would change the system under a test from one day to the next.
        assert job.get("runs-on", "ubuntu-24.04") == "ubuntu-24.04", name
    # The job that may write must not run code that a change brings along.
    for name, step in steps(path):
        if name in writers:
            assert "checkout" not in step.get("uses", "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_commits_and_caches_to_locks(path: Path) -> None:
    lines = re.findall(r"uses: (?!\./)(.*)", path.read_text())
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line
    pinned = re.findall(r"uses: ([\w-]+/[\w-]+)@", "".join(p.read_text() for p in WORKFLOWS))
    text = "".join(p.read_text() for p in WORKFLOWS)
    for action in set(pinned):
        assert len(set(re.findall(rf"uses: ({re.escape(action)}@\w+)", text))) == 1, action
    for _, step in steps(path):
        options = step.get("with", {})
        if "actions/checkout" in step.get("uses", ""):
            assert options["persist-credentials"] is False
        if options.get("path") == "~/.cache/pip":
            for lock in ("requirements-dev.lock", "requirements-torch.lock"):
                assert f"'{lock}'" in options["key"]
                assert (ROOT / lock).is_file()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_files_that_a_workflow_names_exist(path: Path) -> None:
    runs = " ".join(step.get("run", "") for _, step in steps(path))
    for name in re.findall(r"(?<![\w./])(?:tests|scripts)/[\w./]+", runs):
        assert (ROOT / name).exists(), name
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"\bmake ([a-z-]+)", runs)) <= targets


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one(path: Path) -> None:
    form = read(path)
    assert set(form) == {"name", "description", "title", "body"}
    assert all(form[key] and isinstance(form[key], str) for key in ("name", "description", "title"))
    assert form["title"].endswith(": ")
    asked = [item for item in form["body"] if item["type"] != "markdown"]
    ids = [item["id"] for item in asked]
    assert len(ids) == len(set(ids))
    assert any(item.get("validations", {}).get("required") for item in asked)
    for item in form["body"]:
        assert item["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        needed = "value" if item["type"] == "markdown" else "label"
        assert item["attributes"][needed].strip()
        if item["type"] in {"dropdown", "checkboxes"}:
            assert len(item["attributes"]["options"]) >= 2


def test_there_is_a_form_for_each_kind_of_report() -> None:
    assert [path.stem[2:] for path in FORMS] == [
        "wrong_statement",
        "bug_in_sprat",
        "unfair_grade",
        "port",
    ]
    assert read(ROOT / ".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": True}


def test_the_versions_that_a_bug_report_asks_for_can_be_printed() -> None:
    text = (ROOT / ".github/ISSUE_TEMPLATE/2_bug_in_sprat.yml").read_text()
    found = re.search(r'`python -c "([^"]+)"`', text)
    assert found is not None
    command = [sys.executable, "-c", found[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert PROJECT["project"]["version"] in done.stdout


def test_a_pull_request_is_asked_for_what_contributing_asks() -> None:
    template = (ROOT / ".github/pull_request_template.md").read_text()
    assert not template.startswith("---")
    for asked in ("`make test` passes", "`CHANGELOG.md`", "at most 72 characters"):
        assert asked in template
        assert asked in (ROOT / "CONTRIBUTING.md").read_text()


def hook(name: str) -> dict[str, Any]:
    repos = read(ROOT / ".pre-commit-config.yaml")["repos"]
    (found,) = [h for repo in repos for h in repo["hooks"] if h["id"] == name]
    return found


def test_ruff_is_the_one_of_the_lock() -> None:
    (locked,) = re.findall(r"(?m)^ruff==(\S+)", (ROOT / "requirements-dev.lock").read_text())
    repos = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [r["rev"] for r in repos if "ruff" in r["repo"]] == [f"v{locked}"]


@pytest.mark.parametrize(("name", "command"), [("ruff-format", "format"), ("ruff-check", "check")])
def test_ruff_looks_at_what_make_lint_looks_at(name: str, command: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    (folders,) = re.findall(rf"/ruff {command}(?: --check)? ([\w ]+)\n", makefile)
    chosen = re.compile(hook(name)["files"])
    for folder in WRITTEN:
        assert bool(chosen.search(f"{folder}/a/b.py")) == (folder in folders.split()), folder


def test_notebooks_are_cleaned_where_they_are_stored_and_clean_ones_stay(tmp_path: Path) -> None:
    own = hook("notebook-clean")
    chosen = re.compile(own["files"])
    stored = [*ROOT.glob("chapters/*.ipynb"), *ROOT.glob("book/**/*.ipynb")]
    assert all(chosen.search(path.relative_to(ROOT).as_posix()) for path in stored)
    assert not chosen.search("tests/golden/04_under_the_hood.ipynb")
    program, *arguments = own["entry"].split()
    assert program == ".venv/bin/chapterhouse"
    copy = Path(shutil.copy(min(stored), tmp_path))
    before = copy.read_bytes()
    command = [sys.executable, "-m", "chapterhouse.cli", *arguments, str(copy)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert copy.read_bytes() == before


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("grade: run cells in order\n\nThe order was that of the file.\n", False),
        ("Merge branch 'robust'\n", False),
        ("x: " + "y" * 69 + "\n\n" + "z" * 100 + "\n", False),
        ("x: " + "y" * 70 + "\n", True),
        ("Fix the tests\n", True),
        ("run cells in order\n\ngrade: so that it is known\n", True),
    ],
)
def test_the_subject_of_a_commit_is_judged(message: str, refused: bool) -> None:
    own = hook("subject")
    assert own["args"] == ["--multiline"]
    assert own["stages"] == ["commit-msg"]
    # As pre-commit compiles a pattern for a whole file.
    pattern = re.compile(own["entry"].encode(), re.MULTILINE | re.DOTALL)
    assert bool(pattern.search(message.encode())) == refused


def test_the_citation_is_whole_and_names_this_version() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["title"] == PROJECT["tool"]["chapterhouse"]["title"]
    assert citation["type"] in {"software", "dataset"}
    # An entity: no person is made up.
    assert [set(author) for author in citation["authors"]] == [{"name"}]


@pytest.mark.parametrize("name", ["SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md"])
def test_links_of_the_notices_lead_to_files_and_no_address_is_made_up(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target
    assert not re.search(r"[\w.]+@[\w.]+\.\w+|OWNER", text)


def test_security_names_every_level_of_the_sandbox() -> None:
    from chapterhouse.grade.sandbox import LEVELS

    text = (ROOT / "SECURITY.md").read_text()
    for level in LEVELS:
        path = f"lib/chapterhouse/grade/sandbox/{level}.py"
        assert f"]({path})" in text.replace("\n", "")
        assert "Threat model" in (ROOT / path).read_text()


def test_editors_keep_the_line_length_of_ruff() -> None:
    text = (ROOT / ".editorconfig").read_text()
    sections = dict(re.findall(r"(?ms)^\[(\S+)\]\n(.*?)(?=^\[|\Z)", text))
    assert text.split("\n\n")[0].endswith("root = true")
    line_length = PROJECT["tool"]["ruff"]["line-length"]
    assert f"max_line_length = {line_length}\n" in sections["*.py"]
    assert "indent_style = tab\n" in sections["Makefile"]
    for asked in ("trim_trailing_whitespace = true", "insert_final_newline = true"):
        assert asked in sections["*"]


def test_no_file_has_a_fault_that_editors_or_pre_commit_would_mend() -> None:
    faults = []
    for path in written():
        content = path.read_bytes()
        name = path.relative_to(ROOT)
        if re.search(rb"[ \t\r]\n|[ \t]\Z", content):
            faults.append(f"{name}: white space at the end of a line")
        if content and (not content.endswith(b"\n") or content.endswith(b"\n\n")):
            faults.append(f"{name}: not one newline at the end")
        if path.name != "Makefile" and re.search(rb"(?m)^ *\t", content):
            faults.append(f"{name}: a tab")
    assert not faults, "\n".join(faults)
