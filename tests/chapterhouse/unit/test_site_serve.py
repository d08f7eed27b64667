"""The preview serves on this machine only, and builds again when something changes."""

import urllib.error
import urllib.request

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

    serve.serve(course, port=0, say=said.append, build=build, stop=stop)
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
