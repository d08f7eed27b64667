"""The preview serves on this machine only, and builds again when something changes."""

import gzip
import urllib.error
import urllib.request
from typing import ClassVar

import pytest

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import serve


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "POLL_S", 0.01)
    (tmp_path / "pyproject.toml").write_text("[tool.chapterhouse]\nlibraries = ['lib/x']\n")
    for name in ("chapters/01_a.ipynb", "book/index.md", "lib/x/__init__.py", "_toc.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    (tmp_path / "_build/html").mkdir(parents=True)
    (tmp_path / "_build/html/index.html").write_text("<p>hello</p>")
    return Course.find(tmp_path)


def test_it_serves_files_on_this_machine_and_nothing_above_them(course):
    server = serve.start(course.build / "html")
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        assert server.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"{base}/index.html") as answer:
            assert answer.read() == b"<p>hello</p>"
            assert answer.headers["Cache-Control"] == "no-store"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{base}/../../pyproject.toml")
    finally:
        server.shutdown()
        server.server_close()


def test_a_browser_that_goes_away_leaves_no_traceback(course, capsys):
    server = serve.start(course.build / "html")
    try:
        for error in (BrokenPipeError(), ConnectionResetError(), ValueError("ours")):
            try:
                raise error
            except Exception:
                server.handle_error(None, ("127.0.0.1", 1))
    finally:
        server.shutdown()
        server.server_close()
    told = capsys.readouterr().err
    assert "ours" in told
    assert "BrokenPipe" not in told
    assert "ConnectionReset" not in told


def test_a_taken_port_is_one_clear_error(course):
    server = serve.start(course.build / "html")
    try:
        with pytest.raises(SiteError, match="cannot be used") as caught:
            serve.start(course.build / "html", server.server_port)
        assert "--port" in caught.value.fix
    finally:
        server.shutdown()
        server.server_close()


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
    """A whole build that ends well when it has been looked after twice."""

    made: ClassVar = []

    def __init__(self, course, *, profile, say):
        self.looks, self.ended = 0, False
        self.made.append(self)

    def advance(self):
        self.looks += 1
        return True if self.looks == 2 else None

    def end(self):
        self.ended = True


def preview(course, changes, *, answer, build=lambda *_, **__: True):
    """Serve, and at each look write the files that `changes` has for it; what was said and used."""
    said, Behind.made = [], []
    helper = Helper(answer)
    looks = iter(range(max(changes) + 5))

    def stop() -> bool:
        look = next(looks, None)
        for name in changes.get(look, ()):
            (course.root / name).write_text(f"changed at look {look}, and how")
        return look is None

    serve.serve(
        course, port=0, say=said.append, build=build, helper=helper.made, behind=Behind, stop=stop
    )
    return said, helper


def test_prose_is_renewed_at_once_and_the_whole_build_follows(course):
    builds = []
    said, helper = preview(
        course,
        {1: ["book/index.md"]},
        answer={"pages": ["book/index"], "complaints": ["book/index.md:3: unknown term"]},
        build=lambda *_, **__: builds.append(1),
    )
    assert (helper.asked, len(builds)) == (1, 1), "the only other build is the first"
    (behind,) = Behind.made
    assert behind.looks == 2
    assert not behind.ended
    assert any("unknown term" in line for line in said)


def test_the_build_behind_gives_way_to_the_next_change(course):
    _, helper = preview(
        course,
        {1: ["book/index.md"], 2: ["chapters/01_a.ipynb"]},
        answer={"pages": ["a"], "complaints": []},
    )
    assert helper.asked == 2
    assert [behind.ended for behind in Behind.made] == [True, False]


@pytest.mark.parametrize("name", ["lib/x/__init__.py", "_toc.yml", "exercises/01/prompt.md"])
def test_what_is_no_page_takes_a_whole_build(course, name):
    (course.root / "exercises/01").mkdir(parents=True)
    builds = []
    _, helper = preview(course, {1: [name]}, answer={}, build=lambda *_, **__: builds.append(1))
    assert (helper.asked, len(builds)) == (0, 2)


def test_a_page_is_told_of_each_renewal_and_only_by_the_preview(course):
    page = course.build / "html/page.html"
    page.write_text("<html><body><p>hello</p></body></html>")
    news = serve.News()
    for given, waits in ((news, True), (None, False)):
        server = serve.start(course.build / "html", news=given)
        try:
            base = f"http://127.0.0.1:{server.server_port}"
            asked = urllib.request.Request(f"{base}/page.html", headers={"Accept-Encoding": "gzip"})
            with urllib.request.urlopen(asked) as answer:
                content = gzip.decompress(answer.read())
            assert (b"EventSource" in content) == waits
            assert content.startswith(b"<html><body><p>hello</p>")
            if waits:
                with urllib.request.urlopen(base + serve.NEWS, timeout=20) as stream:
                    assert stream.headers["Content-Type"] == "text/event-stream"
                    assert stream.readline() == b"data: 0\n"
                    news.tell()
                    assert (stream.readline(), stream.readline()) == (b"\n", b"data: 1\n")
        finally:
            server.shutdown()
            server.server_close()
    assert b"EventSource" not in page.read_bytes()


def test_the_whole_build_runs_its_steps_in_turn_and_can_be_ended(course, monkeypatch):
    started = []

    class Process:
        code = None

        def __init__(self, command, **_):
            started.append(command[command.index("--course") + 2])

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
    failing = serve.Rebuild(course, profile="fast", say=said.append)
    failing.advance()
    Process.code = 1
    assert failing.advance() is False
    assert "last good site" in said[-1]
    Process.code = None
    ended = serve.Rebuild(course, profile="fast", say=said.append)
    ended.advance()
    ended.end()
    assert ended._process.code == -15


@pytest.mark.parametrize(
    "name",
    ["chapters/01_a.ipynb", "book/index.md", "lib/x/__init__.py", "_toc.yml", "book/new.md"],
)
def test_each_change_builds_once(course, name):
    said, builds = [], []
    looks = iter(range(8))

    def stop() -> bool:
        look = next(looks, None)
        if look == 2:
            (course.root / name).write_text("two, and longer")
        return look is None

    def build(course, *, profile, say):
        builds.append(profile)
        return True

    helper = Helper({"reason": "it is a test"})
    serve.serve(course, port=0, say=said.append, build=build, helper=helper.made, stop=stop)
    assert helper.closed
    assert builds == ["fast", "fast"], "one build at the start, one for the change"
    assert any(name in line for line in said)


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
