"""A preview of the site on this machine, rebuilt when something changes.

Changes are found by looking at modification times, which works on every file system. Where only
prose changed, the page is renewed by itself (`chapterhouse.site.quick`), and the whole build
follows behind; it gives way to the next change. A rebuild runs in processes of its own, so that
changed library code is really loaded. What fails is reported, here and on the pages that are open;
where no site can be built at all, the last one stays. Pages load themselves again
(`chapterhouse.site.server`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import quick
from chapterhouse.site.server import News, start

#: The time of modification and the size of each file.
Snapshot = dict[Path, tuple[int, int]]
POLL_S = 0.1
#: How long files must have stayed as they are: an editor may write one in two steps.
SETTLED_S = 0.03
_SETTLES = 50
_STAYS = "the last good site stays; save a file to try again"
_SHOWN_LINES = 40


def watched(course: Course) -> Iterator[Path]:
    """Every file whose change may change the site."""
    for name in ("_config.yml", "_toc.yml", "pyproject.toml"):
        yield course.root / name
    for folder in (course.chapters, course.exercises, course.book, *course.libraries):
        for path in folder.rglob("*"):
            parts = path.relative_to(folder).parts
            hidden = any(part.startswith((".", "__pycache__")) for part in parts)
            if not hidden and path.is_file():
                yield path


def snapshot(course: Course) -> Snapshot:
    """The time of modification and the size of every watched file."""
    found = {}
    for path in watched(course):
        try:
            status = path.stat()
        except OSError:  # removed since it was listed
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _commands(course: Course, profile: str) -> list[list[str]]:
    """What makes the whole site."""
    command = [sys.executable, "-m", "chapterhouse.cli", "--course", str(course.root)]
    return [[*command, step, "--profile", profile] for step in ("run", "site")]


def rebuild(course: Course, *, profile: str, say: Callable[[str], None]) -> bool:
    """Execute what changed and build the site, whatever failed; whether both went well."""
    before = _stamp(course)
    codes = [subprocess.run(c, check=False).returncode for c in _commands(course, profile)]
    if any(codes) and _stamp(course) == before:
        say(_STAYS)
    return not any(codes)


def _stamp(course: Course) -> tuple[int, int] | None:
    """What is another one as soon as another site is published; None while there is none."""
    try:
        status = (course.build / "html" / "index.html").stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


class Rebuild:
    """Execute what changed and build the site, behind the preview; a newer change ends it.

    `fault` is what the steps that failed have said. The site is built also when a run failed.
    """

    def __init__(self, course: Course, *, profile: str, say: Callable[[str], None]) -> None:
        self.fault = ""
        self._say = say
        self._steps = _commands(course, profile)[::-1]
        self._process: subprocess.Popen[bytes] | None = None
        self._course, self._before = course, _stamp(course)
        # What it says of a build that went well would only disturb the author.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115

    def advance(self) -> bool | None:
        """Look after it without waiting: None while it goes on, then whether all went well."""
        code = self._process.poll() if self._process is not None else 0
        if code is None:
            return None
        if code != 0:
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").rstrip().splitlines()
            told = lines[-_SHOWN_LINES:] or [f"it ended with exit code {code}"]
            self.fault = "\n".join(filter(None, [self.fault, *told]))
        if not self._steps:
            stays = _stamp(self._course) == self._before
            if self.fault:
                self._say(f"{self.fault}\n{_STAYS}" if stays else self.fault)
            return not self.fault
        self._said.seek(0)
        self._said.truncate()
        self._process = subprocess.Popen(
            self._steps.pop(), stdout=self._said, stderr=subprocess.STDOUT
        )
        return None

    def end(self) -> None:
        """Let a newer one take its place; the published site is whole at any moment."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._said.close()


class Preview:
    """What looks for changes, and sees to it that open pages show them.

    Args:
        course: whose site it is.
        seen: a `snapshot` from before the site was built; what differs from it counts as changed.
        profile: which runs to show.
        say: is told what happens.
        news: tells the pages.
        helper: makes what renews single pages.
        behind: makes the whole build that follows.
    """

    def __init__(
        self,
        course: Course,
        seen: Snapshot,
        *,
        profile: str,
        say: Callable[[str], None],
        news: News,
        helper: Callable[..., Any],
        behind: Callable[..., Any],
    ) -> None:
        self._course, self._profile, self._say, self._news = course, profile, say, news
        self._behind = behind
        self._seen = seen
        self._pages = helper(course, profile)
        self._follower: Any = None
        self._published = _stamp(course)

    def look(self) -> None:
        """Act on what changed since the last look, and look after the build behind."""
        now = snapshot(self._course)
        if now != self._seen:
            now = self._settled(now)
            changed, self._seen = _differ(self._seen, now), now
            self._act(changed)
        elif self._follower is not None and (good := self._follower.advance()) is not None:
            ended, self._follower = self._follower, None
            ended.end()
            before, self._published = self._published, _stamp(self._course)
            if good:
                self._news.renewed()
            elif self._published != before:
                self._news.renewed(ended.fault)
            else:
                self._news.failed(ended.fault)

    def close(self) -> None:
        """End what goes on behind."""
        if self._follower is not None:
            self._follower.end()
        self._pages.close()

    def _settled(self, now: Snapshot) -> Snapshot:
        """The files as they are when nobody has written any for a moment."""
        for _ in range(_SETTLES):
            time.sleep(SETTLED_S)
            before, now = now, snapshot(self._course)
            if now == before:
                break
        return now

    def _act(self, changed: set[Path]) -> None:
        names = sorted(str(path.relative_to(self._course.root)) for path in changed)
        self._say(f"changed: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}")
        if self._follower is not None:
            self._follower.end()
        if _only_prose(self._course, changed):
            self._renew()
        self._follower = self._behind(self._course, profile=self._profile, say=self._say)

    def _renew(self) -> None:
        """Renew single pages, and say what Sphinx holds against them."""
        began = time.perf_counter()
        answer = self._pages.refresh()
        complaints = answer.get("complaints", ())
        for complaint in complaints:
            self._say(f"  {complaint}")
        if "reason" in answer:
            self._say(f"building the whole site: {answer['reason']}")
            return
        took_s = time.perf_counter() - began
        pages = ", ".join(answer["pages"])
        self._say(f"renewed in {took_s:.1f} s: {pages}; the whole site follows")
        self._news.renewed("\n".join(complaints))


def serve(
    course: Course,
    *,
    port: int,
    profile: str = "fast",
    watch: bool = True,
    say: Callable[[str], None],
    build: Callable[..., bool] = rebuild,
    helper: Callable[..., Any] = quick.Helper,
    behind: Callable[..., Any] = Rebuild,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Serve the site until `stop` says so or Ctrl-C, building again on change.

    Args:
        course: whose site to show.
        port: to listen on.
        profile: which runs to show.
        watch: whether to look for changes; a first build is then made as well.
        say: is told what happens.
        build: makes the whole site first; the tests pass their own, as for the next two.
        helper: makes what renews single pages.
        behind: makes the whole build that follows a change.
        stop: is asked a few times a second.

    Raises:
        SiteError: the port is taken, or nothing is built and nothing shall be.
    """
    news = News() if watch else None
    preview = None
    seen = snapshot(course)
    if news is not None and not build(course, profile=profile, say=say):
        news.failed("The site could not be built without faults; the terminal names them.")
    server = _serving(course.build / "html", port, news)
    try:
        if news is not None:
            ways = {"helper": helper, "behind": behind}
            preview = Preview(course, seen, profile=profile, say=say, news=news, **ways)
        say(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        while not stop():
            time.sleep(POLL_S)
            if preview is not None:
                preview.look()
    finally:
        if preview is not None:
            preview.close()
        server.shutdown()
        server.server_close()


def _serving(folder: Path, port: int, news: News | None) -> ThreadingHTTPServer:
    if not (folder / "index.html").is_file():
        raise SiteError(f"{folder} holds no site.", fix="make book")
    return start(folder, port, news=news)


def _only_prose(course: Course, changed: set[Path]) -> bool:
    """Whether nothing but pages changed; what changed in them, the helper finds out."""
    kinds = {".md": course.book, ".ipynb": course.root}
    return all(
        path.suffix in kinds and path.is_relative_to(kinds[path.suffix]) and path.is_file()
        for path in changed
    ) and not any(path.is_relative_to(course.exercises) for path in changed)


def _differ(before: Snapshot, after: Snapshot) -> set[Path]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
