"""Downloads over HTTP that go on where they stopped.

Bytes are collected in a ``.part`` file. An interrupted download is resumed with a Range request,
in the same process or in the next one. Whether the content is right is not judged here: the cache
does that before the file gets its name.
"""

import contextlib
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from sprat import progress

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 20.0
_PAUSES_S = (0.5, 2.0)  # before the second and the third attempt
_PARTIAL, _RANGE_REFUSED, _TOO_MANY = 206, 416, 429


class DownloadFailed(Exception):  # noqa: N818 - it is caught and told in other words
    """An address did not give its file; the message says why."""


def download(address: str, part: Path, *, text: str) -> None:
    """Bring an address's whole content into the file `part`, keeping what it holds already.

    Args:
        address: an http or https address.
        part: where bytes are collected. It stays after a failure, to be resumed.
        text: what the progress bar calls it.

    Raises:
        DownloadFailed: the address can't be reached or has no such file.
        OSError: the disk refused.
    """
    for pause_s in (*_PAUSES_S, None):
        try:
            _attempt(address, part, text)
            return
        except urllib.error.HTTPError as error:
            with error:  # it holds the open connection
                reason = f"the server answers {error.code} {error.reason}"
            if error.code == _RANGE_REFUSED:
                if _whole_length(error) == part.stat().st_size:
                    return  # an earlier download ended just before it could be used
                part.unlink(missing_ok=True)  # the file there is another than the one we began
            elif error.code < 500 and error.code != _TOO_MANY:
                raise DownloadFailed(reason) from None
        except urllib.error.URLError as error:
            reason = f"no connection ({error.reason})"
            if isinstance(error.reason, socket.gaierror):  # nobody knows the name: offline, surely
                raise DownloadFailed(reason) from None
        except (http.client.HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
            reason = f"the connection broke ({error or type(error).__name__})"
        if pause_s is None:
            raise DownloadFailed(f"{reason}, three times")
        time.sleep(pause_s)


def _attempt(address: str, part: Path, text: str) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"User-Agent": "sprat"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        resumed = answer.status == _PARTIAL and _range_start(answer) == have
        if not resumed:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with (
            part.open("ab" if resumed else "wb") as target,
            progress.bar(total, text, unit="B", leave=False) as bar,
        ):
            bar.advance(have)
            while chunk := answer.read(_CHUNK_BYTES):
                target.write(chunk)
                bar.advance(len(chunk))
    got = part.stat().st_size
    if total is not None and got < total:
        raise ConnectionError(f"{got:,} of {total:,} bytes came")


def _range_start(answer: http.client.HTTPResponse) -> int | None:
    """Where the answer's bytes start, from a header such as ``bytes 100-199/200``."""
    with contextlib.suppress(IndexError, ValueError):
        return int(answer.headers.get("Content-Range", "").split()[1].split("-")[0])
    return None


def _whole_length(error: urllib.error.HTTPError) -> int | None:
    """The whole file's length, from the header ``bytes */200`` of a refused range."""
    length = error.headers.get("Content-Range", "").rpartition("/")[2]
    return int(length) if length.isdigit() else None
