"""`sprat.datasets`: what a fetch brings, and what it says when it can't."""

import errno
import gzip
import hashlib
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sprat import datasets
from sprat.datasets import Address, Dataset, cache
from sprat.errors import DataError

from .conftest import IMAGES, LABELS, Web, tiny_dataset


def in_another_process(first: str, address: str) -> subprocess.CompletedProcess[str]:
    """Run some lines, then fetch the small data set from `address`, in a process of its own."""
    script = textwrap.dedent(first) + textwrap.dedent(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import conftest
        from sprat import datasets
        datasets.register(conftest.tiny_dataset(datasets.Address(sys.argv[2])))
        print(len(datasets.fetch("tiny")), int(datasets.fetch("tiny").x.sum()))
        """
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), address]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_fetch_gives_tensors_and_classes(tiny: Dataset, folder: Path) -> None:
    data = datasets.fetch("tiny")
    assert data.x.dtype == torch.uint8
    assert data.x.shape == (40, 1, 64, 64)
    assert data.y.dtype == torch.int64
    assert data.y.tolist() == [i % 3 for i in range(40)]
    assert data.classes == ("a", "b", "c")
    assert int(data.x[0, 0, 0, 7]) == 7
    assert files_in(folder / "tiny") == {"images", "labels"}


def test_second_fetch_asks_nobody(tiny: Dataset, web: Web) -> None:
    datasets.fetch("tiny")
    asked = len(web.asked)
    assert asked == 2
    datasets.fetch("tiny")
    assert len(web.asked) == asked


def test_used_names_what_was_fetched(tiny: Dataset) -> None:
    assert datasets.used() == {}
    datasets.fetch("tiny")
    lines = "".join(f"{file.sha256}  {file.name}\n" for file in tiny.files)
    assert datasets.used() == {"tiny": hashlib.sha256(lines.encode()).hexdigest()}


def test_two_fetches_share_no_memory(tiny: Dataset) -> None:
    first = datasets.fetch("tiny")
    first.x.zero_()
    assert datasets.fetch("tiny").x.any()


def test_a_later_source_is_used_when_the_first_fails(web: Web, tiny: Dataset) -> None:
    datasets.register(
        tiny_dataset(Address(web.address + "lost/"), *tiny.sources, name="second_chance")
    )
    assert len(datasets.fetch("second_chance")) == 40


@pytest.mark.parametrize(
    ("name", "split", "says"),
    [
        ("fashion_minst", "train", "Did you mean 'fashion_mnist'?"),
        ("tiny", "dev", "has no split 'dev'"),
        ("", "train", "No data set is called ''"),
    ],
)
def test_wrong_names_are_answered_with_right_ones(
    tiny: Dataset, name: str, split: str, says: str
) -> None:
    with pytest.raises(DataError, match=says.replace("?", r"\?")) as caught:
        datasets.fetch(name, split)
    assert "use one of" in caught.value.fix


def test_corrupted_download_is_deleted_and_reported(tiny: Dataset, web: Web, folder: Path) -> None:
    web.served["/labels"] = LABELS[:-1] + b"\7"
    with pytest.raises(DataError, match=r"labels has another content.*deleted") as caught:
        datasets.fetch("tiny")
    assert str(folder / "tiny") in caught.value.fix
    assert files_in(folder / "tiny") == {"images"}
    web.served["/labels"] = LABELS
    assert len(datasets.fetch("tiny")) == 40


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(IMAGES)[:-200],
        gzip.compress(IMAGES)[:50] + b"\xff" * 50 + gzip.compress(IMAGES)[100:],
        gzip.compress(IMAGES + b"more"),
        gzip.compress(b"\0" * (len(IMAGES) + (3 << 20))),
        b"",
        b"<html>Please log in to the hotel's network</html>",
    ],
    ids=["cut", "garbled", "longer", "bomb", "empty", "portal"],
)
def test_no_wrong_content_gets_a_name(
    tiny: Dataset, web: Web, folder: Path, content: bytes
) -> None:
    web.served["/images.gz"] = content
    with pytest.raises(DataError, match="could not be fetched"):
        datasets.fetch("tiny")
    assert files_in(folder / "tiny") == set()


def test_corrupted_cache_is_noticed_and_mended(
    tiny: Dataset, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.fetch("tiny")
    monkeypatch.setattr(cache, "_verified", {})  # as in the next process
    labels = folder / "tiny" / "labels"
    labels.write_bytes(LABELS[:-1] + b"\7")
    assert datasets.fetch("tiny").y[-1] == 39 % 3
    assert labels.read_bytes() == LABELS
    assert "fetched anew" in capsys.readouterr().err


def test_shortened_cache_file_is_mended(tiny: Dataset, folder: Path) -> None:
    datasets.fetch("tiny")
    labels = folder / "tiny" / "labels"
    labels.write_bytes(LABELS[:5])
    datasets.fetch("tiny")
    assert labels.read_bytes() == LABELS


def test_unmendable_cache_says_what_was_tried(
    tiny: Dataset, web: Web, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.fetch("tiny")
    monkeypatch.setattr(cache, "_verified", {})
    (folder / "tiny" / "labels").write_bytes(LABELS[:-1] + b"\7")
    web.served = {}
    with pytest.raises(DataError, match="404"):
        datasets.fetch("tiny")


def test_without_network_one_error_lists_everything(folder: Path) -> None:
    nobody = Address("http://no-such-host.invalid/")
    closed = Address("http://127.0.0.1:9/")
    datasets.register(tiny_dataset(nobody, closed, name="far"))
    with pytest.raises(DataError) as caught:
        datasets.fetch("far")
    message = str(caught.value)
    assert "cache:" in message
    assert "no-such-host.invalid" in message
    assert "127.0.0.1:9" in message
    assert "no connection" in message
    for part in ("images", "labels", ".gz", str(folder / "far"), "https://example.org/tiny"):
        assert part in caught.value.fix


@pytest.mark.parametrize("compressed", [False, True])
def test_files_put_there_by_hand_are_taken(folder: Path, compressed: bool) -> None:
    datasets.register(tiny_dataset(name="by_hand"))
    target = folder / "by_hand"
    target.mkdir(parents=True)
    for name, content in (("images", IMAGES), ("labels", LABELS)):
        if compressed:
            (target / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (target / name).write_bytes(content)
    assert len(datasets.fetch("by_hand")) == 40
    assert files_in(target) == {"images", "labels"}


def test_wrong_file_put_there_by_hand_is_reported(folder: Path) -> None:
    datasets.register(tiny_dataset(name="by_hand"))
    (folder / "by_hand").mkdir(parents=True)
    (folder / "by_hand" / "images.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError, match=r"images\.gz.*it was deleted"):
        datasets.fetch("by_hand")


@pytest.mark.skipif(sys.platform == "win32", reason="needs rlimits")
def test_full_disk_leaves_nothing_half_written(tiny: Dataset, web: Web, folder: Path) -> None:
    web.served = {"/images": IMAGES, "/labels": LABELS}
    assert len(IMAGES) > 150_000
    # No file of this process may pass 100 kB: what a full disk feels like, without one.
    script = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    """
    done = in_another_process(script, web.address)
    assert "DataError: The disk is full" in done.stderr
    assert "SPRAT_DATA" in done.stderr
    assert files_in(folder / "tiny") <= {"labels"}


def test_disk_full_while_storing_leaves_nothing(
    tiny: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", refuse)
    with pytest.raises(DataError, match=r"The disk is full.*0\.2 MB"):
        datasets.fetch("tiny")
    assert files_in(folder / "tiny") == set()


def test_folder_that_cannot_be_made_is_reported(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPRAT_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match="can't be written to") as caught:
        datasets.fetch("tiny")
    assert "SPRAT_DATA" in caught.value.fix


def test_processes_at_once_download_once(tiny: Dataset, web: Web, folder: Path) -> None:
    web.served = {"/images": IMAGES, "/labels": LABELS}
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: in_another_process("", web.address), range(3)))
    assert [process.returncode for process in done] == [0, 0, 0]
    assert len({process.stdout for process in done}) == 1
    assert done[0].stdout.startswith("40 ")
    assert sorted(path for path, _ in web.asked) == ["/images", "/labels"]
    assert files_in(folder / "tiny") == {"images", "labels"}


def test_what_a_killed_process_left_is_cleared(tiny: Dataset, folder: Path) -> None:
    (folder / "tiny" / ".fetch-old").mkdir(parents=True)
    (folder / "tiny" / ".fetch-old" / "half").write_bytes(b"half")
    (folder / "tiny" / ".fetch-file").write_bytes(b"half")
    datasets.fetch("tiny")
    assert files_in(folder / "tiny") == {"images", "labels"}


def test_interrupt_while_storing_leaves_no_scratch(
    tiny: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch("tiny")
    assert files_in(folder / "tiny") == set()


def test_a_wrong_promise_of_samples_is_an_error(web: Web, tiny: Dataset) -> None:
    datasets.register(replace(tiny, name="less", splits={"train": 41}))
    with pytest.raises(DataError, match="promises 41"):
        datasets.fetch("less")
