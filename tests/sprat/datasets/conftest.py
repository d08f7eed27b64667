"""A small data set, a web server with moods that serves it, and an empty cache for every test."""

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from sprat import datasets
from sprat.datasets import Address, Dataset, File, cache
from sprat.datasets import download as download_module
from sprat.datasets.formats import idx


def idx_bytes(values: torch.Tensor) -> bytes:
    header = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.to(torch.uint8).numpy().tobytes()


IMAGES = idx_bytes(torch.arange(40 * 64 * 64).reshape(40, 64, 64) % 251)
LABELS = idx_bytes(torch.arange(40) % 3)


def file_of(name: str, content: bytes) -> File:
    return File(name, len(content), hashlib.sha256(content).hexdigest())


@dataclass
class Web:
    """A server on this machine. `served` maps paths to content; the rest is its mood."""

    served: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    break_after: int | None = None  # send this many bytes of the next answer, then hang up
    status: list[int] = field(default_factory=list)  # answer these codes first
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked_range = request.headers.get("Range")
        self.asked.append((request.path, asked_range))
        if self.status:
            return request.send_error(self.status.pop(0))
        if request.path not in self.served:
            return request.send_error(404)
        content, start = self.served[request.path], 0
        if asked_range and self.ranges:
            start = int(asked_range.removeprefix("bytes=").rstrip("-"))
        if start >= len(content) > 0:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(content)}")
            request.send_header("Content-Length", "0")
            return request.end_headers()
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        end = len(content) if self.break_after is None else start + self.break_after
        self.break_after = None
        request.wfile.write(content[start:end])
        return None


@pytest.fixture
def web() -> Iterator[Web]:
    mood = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mood.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mood.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield mood
    server.shutdown()
    thread.join()
    server.server_close()


def tiny_dataset(*sources: object, name: str = "tiny", images: bytes = IMAGES) -> Dataset:
    return Dataset(
        name=name,
        title="Tiny",
        about="Forty pictures of nothing.",
        input="Image",
        target="Label",
        classes=("a", "b", "c"),
        splits={"train": 40},
        shape=(1, 64, 64),
        licence="CC0",
        citation="nobody",
        home="https://example.org/tiny",
        files=(file_of("images", images), file_of("labels", LABELS)),
        sources=sources,  # type: ignore[arg-type]
        parse=lambda read, split: (idx(read("images"))[:, None], idx(read("labels")).long()),
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a registry that forgets, and no waiting between attempts."""
    monkeypatch.setenv("SPRAT_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("SPRAT_PROGRESS", "off")
    monkeypatch.setattr(datasets, "_known", dict(datasets._known))
    monkeypatch.setattr(datasets, "_used", {})
    monkeypatch.setattr(cache, "_verified", {})
    monkeypatch.setattr(download_module, "_PAUSES_S", (0.0, 0.0))
    return tmp_path / "cache"


@pytest.fixture
def tiny(web: Web) -> Dataset:
    """The small data set, which the server has."""
    web.served = {"/images.gz": gzip.compress(IMAGES), "/labels": LABELS}
    dataset = tiny_dataset(Address(web.address, {"images": "images.gz"}))
    datasets.register(dataset)
    return dataset
