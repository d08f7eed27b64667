"""Downloads that break, are refused, and go on."""

from pathlib import Path

import pytest

from sprat import datasets
from sprat.datasets import Dataset
from sprat.datasets.download import DownloadFailed, download

from .conftest import Web

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def part(tmp_path: Path, web: Web) -> Path:
    web.served = {"/file": CONTENT}
    return tmp_path / "file.part"


def test_broken_connection_goes_on_where_it_stopped(web: Web, part: Path) -> None:
    web.break_after = 300_000
    download(web.address + "file", part, text="file")
    assert part.read_bytes() == CONTENT
    assert web.asked[0] == ("/file", None)
    assert web.asked[1][1] == "bytes=300000-"


def test_next_process_resumes(web: Web, part: Path) -> None:
    part.write_bytes(CONTENT[:123_456])
    download(web.address + "file", part, text="file")
    assert part.read_bytes() == CONTENT
    assert web.asked == [("/file", "bytes=123456-")]


def test_server_without_ranges_begins_anew(web: Web, part: Path) -> None:
    web.ranges = False
    part.write_bytes(CONTENT[:1000])
    download(web.address + "file", part, text="file")
    assert part.read_bytes() == CONTENT


def test_whole_part_needs_no_bytes(web: Web, part: Path) -> None:
    part.write_bytes(CONTENT)
    download(web.address + "file", part, text="file")
    assert part.read_bytes() == CONTENT
    assert len(web.asked) == 1


def test_part_longer_than_the_file_is_thrown_away(web: Web, part: Path) -> None:
    part.write_bytes(CONTENT + b"more")
    download(web.address + "file", part, text="file")
    assert part.read_bytes() == CONTENT


def test_busy_server_is_asked_again(web: Web, part: Path) -> None:
    web.status = [503, 429]
    download(web.address + "file", part, text="file")
    assert part.read_bytes() == CONTENT
    assert len(web.asked) == 3


def test_missing_file_is_asked_for_once(web: Web, part: Path) -> None:
    with pytest.raises(DownloadFailed, match="404"):
        download(web.address + "lost", part, text="lost")
    assert len(web.asked) == 1


def test_server_that_stays_down_fails_after_three(web: Web, part: Path) -> None:
    web.status = [500] * 5
    with pytest.raises(DownloadFailed, match=r"500.*three times"):
        download(web.address + "file", part, text="file")
    assert len(web.asked) == 3


def test_fetch_resumes_what_an_earlier_run_left(tiny: Dataset, web: Web, folder: Path) -> None:
    whole = web.served["/images.gz"]
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny" / "127.0.0.1-images.gz.part").write_bytes(whole[:100])
    datasets.fetch("tiny")
    assert ("/images.gz", "bytes=100-") in web.asked
    assert not list((folder / "tiny").glob("*.part"))
