"""The locks serve every Python that the README names, which is seen without a network."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# The first and a late release of each: what a package asks may lie between them.
PYTHONS = ["3.11.0", "3.11.2", "3.11.14", "3.12.0", "3.12.12", "3.13.0", "3.13.9"]
EXTRAS = PROJECT["optional-dependencies"]


def entries(name):
    """The requirements of a lock, each with its hashes."""
    text = (ROOT / f"requirements-{name}.lock").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split("--hash=") for line in text.splitlines() if line.strip()]
    return [(Requirement(line.strip()), [h.strip() for h in hashes]) for line, *hashes in lines]


def pins(python, *names):
    """What is installed with a Python on Linux: each package's version."""
    env = default_environment() | {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "implementation_version": python,
    }
    found = {}
    for requirement, _ in [entry for name in names for entry in entries(name)]:
        if requirement.marker is None or requirement.marker.evaluate(env):
            key = canonicalize_name(requirement.name)
            (pin,) = requirement.specifier
            assert found.setdefault(key, pin.version) == pin.version, f"{key} has two versions"
    return found


@pytest.mark.parametrize("name", ["dev", "bench"])
def test_every_entry_is_pinned_and_has_hashes(name):
    found = entries(name)
    assert len(found) > 10
    for requirement, hashes in found:
        assert [pin.operator for pin in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), requirement
        assert requirement.marker is None or Marker(str(requirement.marker))


def test_torch_is_pinned_apart_and_no_registry_is_named():
    ((torch, hashes),) = entries("torch")
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", str(torch))
    assert hashes == []
    names = {requirement.name for requirement, _ in entries("dev")}
    assert not [n for n in names if n.startswith(("torch", "nvidia", "triton", "cuda"))]
    for lock in ROOT.glob("requirements-*.lock"):
        assert not re.search(r"https?:|file:|--(extra-)?index|--find", lock.read_text()), lock


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_extra_is_covered_for_every_python(python, extra):
    asked = EXTRAS[extra] if extra else PROJECT["dependencies"]
    found = pins(python, "dev", "torch", *(["bench"] if extra == "bench" else []))
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        if name != "sprat":
            assert requirement.specifier.contains(found[name]), f"{requirement} on {python}"


def test_no_entry_asks_for_a_newer_python_than_it_is_locked_for():
    """soupsieve 4.1.2 asked for Python 3.11.5, and Debian's own is 3.11.2."""
    asks = {
        (canonicalize_name(d.name), d.version): SpecifierSet(
            d.metadata.get("Requires-Python") or ""
        )
        for d in distributions()
    }
    compared = 0
    for python in PYTHONS:
        for pin in pins(python, "dev").items():
            if pin in asks:
                compared += 1
                assert asks[pin].contains(python), f"{pin} asks for {asks[pin]}, not {python}"
    assert compared > 100 * len(PYTHONS)


def test_the_lock_is_whole():
    """It is installed with --no-deps: what a package needs must be in it."""
    here = pins(default_environment()["python_full_version"], "dev", "torch")
    for found in distributions():
        if here.get(canonicalize_name(found.name)) != found.version or found.name == "torch":
            continue
        for text in found.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                name = canonicalize_name(requirement.name)
                assert name in here, f"{found.name} needs {requirement}"
                assert requirement.specifier.contains(here[name], prereleases=True), (
                    f"{found.name} needs {requirement}, the lock has {here[name]}"
                )


def test_the_pythons_named_are_those_of_the_project():
    named = {c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if "Python :: 3." in c}
    assert {".".join(p.split(".")[:2]) for p in PYTHONS} == named
    for page in ("README.md", "CONTRIBUTING.md"):
        assert re.search(r"Python 3\.11, 3\.12 or 3\.13", (ROOT / page).read_text()), page
        assert "PYTHON=" in (ROOT / page).read_text(), page
