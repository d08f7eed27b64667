"""The preview serves on this machine only, and builds again when something changes."""

import gzip
import json
import urllib.error
import urllib.request
from typing import ClassVar

import pytest

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import serve, server


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "POLL_S", 0.01)
    monkeypatch.setattr(serve, "SETTLED_S", 0.0)
    (tmp_path / "pyproject.toml").write_text("[tool.chapterhouse]\nlibraries = ['lib/x']\n")
    for name in ("chapters/01_a.ipynb", "book/index.md", "lib/x/__init__.py", "_toc.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    (tmp_path / "_build/html").mkdir(parents=True)
    (tmp_path / "_build/html/index.html").write_text("<p>hello</p>")
    return Course.find(tmp_path)


def test_it_serves_files_on_this_machine_and_nothing_above_them(course):
    running = server.start(course.build / "html")
    try:
        base = f"http://127.0.0.1:{running.server_port}"
        assert running.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"{base}/index.html") as answer:
            assert answer.read() == b"<p>hello</p>"
            assert answer.headers["Cache-Control"] == "no-store"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{base}/../../pyproject.toml")
    finally:
        running.shutdown()
        running.server_close()


def test_a_browser_that_goes_away_leaves_no_traceback(course, capsys):
    running = server.start(course.build / "html")
    try:
        for error in (BrokenPipeError(), ConnectionResetError(), ValueError("ours")):
            try:
                raise error
            except Exception:
                running.handle_error(None, ("127.0.0.1", 1))
    finally:
        running.shutdown()
        running.server_close()
    told = capsys.readouterr().err
    assert "ours" in told
    assert "BrokenPipe" not in told
    assert "ConnectionReset" not in told


def test_a_taken_port_is_one_clear_error(course):
    running = server.start(course.build / "html")
    try:
        with pytest.raises(SiteError, match="cannot be used") as caught:
            server.start(course.build / "html", running.server_port)
        assert "--port" in caught.value.fix
    finally:
        running.shutdown()
        running.server_close()


class Helper:
    """What renews single pages, with an answer that is given."""

    def __init__(self, answer):
        self.answer, self.asked, self.closed = answer, 0, False

    def made(self, course, profile):
        return self

    def refresh(self):
        self.asked += 1
        return self.answer

    def close(self):
        self.closed = True


class Behind:
    """A whole build that ends as `good` says when it has been looked after twice."""

    made: ClassVar = []
    good: ClassVar = True
    fault = "the label fig-fish is missing"

    def __init__(self, course, *, profile, say):
        self.looks, self.ended = 0, 0
        self.made.append(self)

    def advance(self):
        self.looks += 1
        return self.good if self.looks == 2 else None

    def end(self):
        self.ended += 1


@pytest.fixture
def told(monkeypatch):
    """Every state that open pages are told of."""
    states = []

    class Recording(server.News):
        def _set(self, state):
            states.append((state.number, state.fault))
            super()._set(state)

    monkeypatch.setattr(serve, "News", Recording)
    monkeypatch.setattr(Behind, "good", True)
    return states


def preview(course, changes, *, answer, build=lambda *_, **__: True):
    """Serve, and at each look make the `changes` for it; what was said, and the helper.

    A change is the name of a file to write, or a function to call.
    """
    said, Behind.made = [], []
    helper = Helper(answer)
    looks = iter(range(max(changes) + 5))

    def stop() -> bool:
        look = next(looks, None)
        for change in changes.get(look, ()):
            if callable(change):
                change()
            else:
                (course.root / change).write_text(f"changed at look {look}, and how")
        return look is None

    serve.serve(
        course, port=0, say=said.append, build=build, helper=helper.made, behind=Behind, stop=stop
    )
    assert helper.closed
    assert all(behind.ended for behind in Behind.made), "nothing goes on behind the closed preview"
    return said, helper


def test_prose_is_renewed_at_once_and_the_whole_build_follows(course, told):
    builds = []
    said, helper = preview(
        course,
        {1: ["book/index.md"]},
        answer={"pages": ["book/index"], "complaints": ["book/index.md:3: unknown term"]},
        build=lambda *_, **__: builds.append(1) or True,
    )
    assert (helper.asked, len(builds)) == (1, 1), "the only build in front is the first"
    (behind,) = Behind.made
    assert behind.looks == 2
    assert any("unknown term" in line for line in said)
    assert told == [(1, "book/index.md:3: unknown term"), (2, "")]


def test_the_build_behind_gives_way_to_the_next_change(course, told):
    _, helper = preview(
        course,
        {1: ["book/index.md"], 2: ["chapters/01_a.ipynb"]},
        answer={"pages": ["a"], "complaints": []},
    )
    assert helper.asked == 2
    assert [behind.looks for behind in Behind.made] == [0, 2]
    assert told == [(1, ""), (2, ""), (3, "")]


def test_two_saves_at_once_are_one_change(course, monkeypatch):
    monkeypatch.setattr(serve, "SETTLED_S", 0.001)
    page, waits = course.root / "book/index.md", []

    def wait(seconds):
        waits.append(seconds)
        # The second half of what an editor writes comes while the preview waits for quiet.
        if seconds == 0.001 and len(page.read_text()) < 20:
            page.write_text("whole, and longer than its half")

    monkeypatch.setattr(serve.time, "sleep", wait)
    _, helper = preview(
        course, {1: [lambda: page.write_text("half")]}, answer={"pages": ["a"], "complaints": []}
    )
    assert helper.asked == 1
    assert waits.count(0.001) == 2


@pytest.mark.parametrize(
    "name",
    [
        "lib/x/__init__.py", "_toc.yml", "_config.yml", "pyproject.toml", "book/_static/a.css",
        "exercises/01/prompt.md", "book/references.bib",
    ],
)  # fmt: skip
def test_what_is_no_page_takes_a_whole_build_behind(course, name, told):
    (course.root / "exercises/01").mkdir(parents=True)
    (course.root / "book/_static").mkdir()
    builds = []
    said, helper = preview(
        course, {1: [name]}, answer={}, build=lambda *_, **__: builds.append(1) or True
    )
    assert (helper.asked, len(builds), len(Behind.made)) == (0, 1, 1)
    assert told == [(1, "")]
    assert any(name in line for line in said)


@pytest.mark.parametrize("name", ["chapters/01_a.ipynb", "book/index.md", "lib/x/__init__.py"])
def test_a_page_that_is_gone_takes_a_whole_build(course, name):
    said, helper = preview(course, {1: [(course.root / name).unlink]}, answer={})
    assert (helper.asked, len(Behind.made)) == (0, 1)
    assert any(name in line for line in said)


def test_what_the_helper_leaves_alone_takes_a_whole_build(course, told):
    said, helper = preview(course, {1: ["book/new.md"]}, answer={"reason": "a page is new"})
    assert (helper.asked, len(Behind.made)) == (1, 1)
    assert any("a page is new" in line for line in said)
    assert told == [(1, "")]


def test_a_build_that_fails_is_told_on_the_pages_until_one_is_good(course, told):
    def good():
        Behind.good = True

    Behind.good = False
    _, _ = preview(course, {1: ["_toc.yml"], 5: [good, "_toc.yml"]}, answer={})
    assert told == [(0, Behind.fault), (1, "")]


def test_a_new_site_with_a_fault_is_loaded_and_the_fault_told(course, told):
    def publish():
        (course.build / "html/index.html").write_text("another site, which is longer")

    Behind.good = False
    _, _ = preview(course, {1: ["_toc.yml"], 2: [publish]}, answer={})
    assert told == [(1, Behind.fault)]


def test_a_first_build_that_fails_is_told_on_the_pages(course, told):
    said, _ = preview(course, {1: []}, answer={}, build=lambda *_, **__: False)
    ((number, fault),) = told
    assert (number, "could not be built" in fault) == (0, True)
    assert any("http://127.0.0.1" in line for line in said)


def test_what_changes_during_the_first_build_is_seen(course):
    def build(*_, **__):
        (course.root / "book/index.md").write_text("written while it was building")
        return True

    _, helper = preview(course, {1: []}, answer={"pages": ["a"], "complaints": []}, build=build)
    assert helper.asked == 1


def fetched(address: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        content = answer.read()
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return gzip.decompress(content) if packed else content


def test_a_page_is_told_of_each_renewal_and_only_by_the_preview(course):
    page = course.build / "html/page.html"
    page.write_text("<html><body><p>hello</p></body></html>")
    news = server.News()
    for given, waits in ((news, True), (None, False)):
        running = server.start(course.build / "html", news=given)
        try:
            base = f"http://127.0.0.1:{running.server_port}"
            for headers in ({}, {"Accept-Encoding": "gzip"}):
                content = fetched(f"{base}/page.html", **headers)
                assert (b"EventSource" in content) == waits
                assert (b"number !== 0" in content) == waits
                assert content.startswith(b"<html><body><p>hello</p>")
            if waits:
                with urllib.request.urlopen(base + server.NEWS, timeout=20) as stream:
                    assert stream.headers["Content-Type"] == "text/event-stream"

                    def line(stream=stream) -> dict:
                        text = stream.readline()
                        assert stream.readline() == b"\n"
                        return json.loads(text.removeprefix(b"data: "))

                    assert line() == {"number": 0, "fault": ""}
                    news.failed("line 3\nis wrong")
                    assert line() == {"number": 0, "fault": "line 3\nis wrong"}
                    news.renewed()
                    assert line() == {"number": 1, "fault": ""}
                assert b"number !== 1" in fetched(f"{base}/page.html")
        finally:
            running.shutdown()
            running.server_close()
    assert b"EventSource" not in page.read_bytes()


@pytest.mark.parametrize(("given", "waits"), [(server.News(), True), (None, False)])
def test_a_page_that_is_missing_waits_for_the_build_that_brings_it(course, given, waits):
    running = server.start(course.build / "html", news=given)
    try:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{running.server_port}/nowhere.html")
        assert caught.value.code == 404
        assert (b"EventSource" in caught.value.read()) == waits
        caught.value.close()
    finally:
        running.shutdown()
        running.server_close()


def test_the_whole_build_runs_its_steps_in_turn_and_can_be_ended(course, monkeypatch):
    started = []

    class Process:
        code = None

        def __init__(self, command, *, stdout, stderr):
            started.append(command[command.index("--course") + 2])
            stdout.write(f"{started[-1]} began\n".encode())
            stdout.flush()

        def poll(self):
            return self.code

        def terminate(self):
            self.code = -15

        def wait(self):
            return self.code

    monkeypatch.setattr(serve.subprocess, "Popen", Process)
    said = []
    whole = serve.Rebuild(course, profile="fast", say=said.append)
    assert [whole.advance(), whole.advance()] == [None, None]
    assert started == ["run"]
    Process.code = 0
    assert [whole.advance(), whole.advance()] == [None, True]
    assert started == ["run", "site"]
    whole.end()
    assert said == [], "a build that goes well disturbs nobody"
    failing = serve.Rebuild(course, profile="fast", say=said.append)
    failing.advance()
    failing.advance()
    Process.code = 1
    assert failing.advance() is False
    assert failing.fault == "site began", "only the step that failed is told of"
    assert "last good site" in said[-1]
    failing.end()
    started.clear()
    failing = serve.Rebuild(course, profile="fast", say=said.append)
    assert [failing.advance(), failing.advance()] == [None, None]
    assert started == ["run", "site"], "the site is built whatever the run said"
    (course.build / "html").mkdir(parents=True, exist_ok=True)
    (course.build / "html/index.html").write_text("another site")
    Process.code = 0
    assert failing.advance() is False
    assert failing.fault == "run began"
    assert said[-1] == "run began", "the site that is published is a new one"
    failing.end()
    Process.code = None
    ended = serve.Rebuild(course, profile="fast", say=said.append)
    ended.advance()
    ended.end()
    assert ended._process.code == -15


def test_what_is_built_and_hidden_files_are_not_watched(course):
    (course.root / "lib/x/__pycache__").mkdir()
    (course.root / "lib/x/__pycache__/a.pyc").write_text("x")
    (course.root / "book/.draft.md").write_text("x")
    seen = {path.relative_to(course.root).as_posix() for path in serve.snapshot(course)}
    assert seen == {
        "pyproject.toml", "_toc.yml", "book/index.md", "chapters/01_a.ipynb", "lib/x/__init__.py",
    }  # fmt: skip


def test_without_a_site_and_without_building_one_it_says_so(course):
    (course.build / "html/index.html").unlink()
    with pytest.raises(SiteError, match="holds no site"):
        serve.serve(course, port=0, say=print, watch=False)
