"""Versions, the block in each page's head, and the folder in which sites stand side by side."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from chapterhouse import cli
from chapterhouse.errors import ReleaseError, SiteError
from chapterhouse.site import offline, publish
from chapterhouse.site.releases import front, marks, shelf, versions
from chapterhouse.site.settings import SiteSettings

URL = "https://ann.github.io/course/"
SITE = SiteSettings(
    title="A <small> course", base_url=URL, repository_url="", branch="main", colab_prefix="",
    root_page="book/index", pages=("book/index", "book/a"), bibliography=(),
)  # fmt: skip
PAGE = """\
<!DOCTYPE html>\r
<html lang="en" data-content_root="../"><head><title>{name}</title>
  {block}
</head><body data-page="{page}"><p>é <a href="index.html">to &amp; fro</a></p>
<pre>&lt;!-- release --&gt; <!-- release -->the author's own<!-- /release --></pre></body></html>
"""


@pytest.fixture
def make(tmp_path):
    """Write a small site of a version, as a build leaves it."""

    def write(version: str = "", names=("book/index", "book/a"), url: str = URL) -> Path:
        folder = tmp_path / f"site-{version}"
        base = f"{url}{version}/" if url and version else url
        settings = replace(SITE, version=version, base_url=base, pages=tuple(names))
        for name in names:
            path = folder / f"{name}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            block = marks.head(canonical=f"{base}{name}.html" if base else "")
            path.write_bytes(PAGE.format(name=name, block=block, page=name).encode())
        (folder / "index.html").write_text(publish._front_door(settings))
        offline.add_sitemap(folder, settings)
        marks.describe(folder, settings)
        return folder

    return write


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def canonical(folder: Path, page: str) -> str:
    text = (folder / page).read_text()
    head = text[: text.index("</head>")]
    assert head.count('rel="canonical"') <= 1
    return head.partition('rel="canonical" href="')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("given", "name"), [("1.2", "1.2"), ("v1.2", "1.2"), ("1.3-RC1", "1.3rc1"), ("dev", "dev")]
)
def test_a_version_has_one_name(given, name):
    assert versions.named(given) == name


@pytest.mark.parametrize("given", ["", "latest", "1.2/../x", "1.2+mine", "..", "one"])
def test_what_is_no_version_is_refused_with_what_would_be_one(given):
    with pytest.raises(ReleaseError) as caught:
        versions.named(given)
    assert caught.value.exit_code == 2
    assert "write" in caught.value.fix


def test_versions_are_ordered_as_numbers_not_as_words():
    given = ["1.9", "1.10", "1.10.dev3", "dev", "1.10rc2", "1.10.post1"]
    assert versions.newest_first(given) == [
        "dev", "1.10.post1", "1.10", "1.10rc2", "1.10.dev3", "1.9",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "newest"),
    [
        (["1.0", "2.0rc1", "dev"], "1.0"),
        (["1.0", "1.0.post1", "1.1.dev1"], "1.0.post1"),
        (["2.0rc1", "2.0a1", "dev"], "2.0rc1"),
        (["dev"], "dev"),
    ],
)
def test_readers_are_led_to_a_final_release_if_there_is_one(given, newest):
    assert versions.newest(given) == newest


def test_only_the_block_in_the_head_changes(make):
    page = (make("1.0") / "book/a.html").read_bytes()
    before = marks.head(canonical=f"{URL}1.0/book/a.html").encode()
    block = marks.head(canonical=f"{URL}2.0/book/a.html", script="../../versions.js")
    assert marks.with_head(page, block, where="a") == page.replace(before, block.encode(), 1)
    # And back again, to the byte.
    there = marks.with_head(page, block, where="a")
    assert marks.with_head(there, before.decode(), where="a") == page


@pytest.mark.parametrize(
    "html", [b"<head></head>", b"no head", marks.head().encode() * 2 + b"</head>"]
)
def test_a_head_without_its_one_place_is_refused(html):
    with pytest.raises(ReleaseError, match="one was expected"):
        marks.with_head(html, marks.head(), where="a.html")


def test_each_version_learns_of_the_others(make, tmp_path):
    folder = tmp_path / "releases"
    shelf.add(make("1.0", ["book/index", "book/a", "book/old"]), folder)
    assert canonical(folder, "1.0/book/a.html") == f"{URL}1.0/book/a.html"
    shelf.add(make("1.1", ["book/index", "book/a", "book/new"]), folder)
    shelf.add(make("2.0rc1", ["book/index", "book/a", "book/plan"]), folder)
    for version in ("1.0", "1.1", "2.0rc1"):
        assert canonical(folder, f"{version}/book/a.html") == f"{URL}1.1/book/a.html"
        assert (
            '<script defer src="../../versions.js">'
            in (folder / version / "book/a.html").read_text()
        )
    # A page that the newest lacks names itself; one that was never released is left out.
    assert canonical(folder, "1.0/book/old.html") == f"{URL}1.0/book/old.html"
    assert canonical(folder, "2.0rc1/book/plan.html") == ""
    assert "noindex" in (folder / "2.0rc1/book/plan.html").read_text()
    assert (folder / "sitemap.xml").read_bytes() == (folder / "1.1/sitemap.xml").read_bytes()
    assert f"Sitemap: {URL}sitemap.xml" in (folder / "robots.txt").read_text()
    door = (folder / "index.html").read_text()
    assert 'content="0; url=1.1/book/index.html"' in door
    assert "A &lt;small&gt; course" in door
    told = json.loads((folder / "versions.json").read_text())
    assert [each["version"] for each in told["versions"]] == ["2.0rc1", "1.1", "1.0"]
    assert told["default"] == "1.1"
    script = (folder / "versions.js").read_text()
    assert json.loads(script.removeprefix("window.bookVersions = ").rstrip(";\n")) == told
    assert not [p for p in folder.iterdir() if p.name.startswith(".") and p.name != ".nojekyll"]


def test_removing_a_version_undoes_what_adding_it_did(make, tmp_path):
    folder = tmp_path / "releases"
    shelf.add(make("1.0"), folder)
    before = tree(folder)
    shelf.add(make("1.1"), folder)
    assert tree(folder) != before
    assert [each.version for each in shelf.remove("v1.1", folder)] == ["1.0"]
    assert tree(folder) == before
    assert shelf.remove("1.0", folder) == []
    assert not folder.exists() or tree(folder) == {}


def test_without_a_public_address_nothing_is_absolute(make, tmp_path):
    folder = tmp_path / "releases"
    shelf.add(make("1.0", url=""), folder)
    assert canonical(folder, "1.0/book/a.html") == ""
    assert not (folder / "sitemap.xml").exists()
    assert b"://" not in b"".join(tree(folder)[n] for n in ("index.html", "versions.js"))


def refused(call, words: str, folder: Path) -> None:
    before = tree(folder) if folder.exists() else None
    with pytest.raises(SiteError, match=words) as caught:
        call()
    assert caught.value.fix
    assert (tree(folder) if folder.exists() else None) == before


def test_the_same_version_twice_is_refused_unless_told(make, tmp_path):
    folder = tmp_path / "releases"
    shelf.add(make("1.0"), folder)
    refused(lambda: shelf.add(make("1.0"), folder), "in .* already", folder)
    refused(lambda: shelf.add(make("1.0.0"), folder), "as 1.0", folder)
    again = make("1.0", ["book/index", "book/other"])
    (again / "book/a.html").unlink()
    shelf.add(again, folder, overwrite=True)
    assert (folder / "1.0/book/other.html").is_file()
    assert not (folder / "1.0/book/a.html").exists()


def test_what_cannot_be_added_is_named_and_changes_nothing(make, tmp_path):
    folder = tmp_path / "releases"
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(lambda: shelf.add(empty, folder), "holds no site", folder)
    refused(lambda: shelf.add(tmp_path / "nowhere", folder), "holds no site", folder)
    refused(lambda: shelf.add(make(""), folder), "without a version", folder)
    site = make("1.0")
    refused(lambda: shelf.add(site, folder, version="1.1"), "built for version 1.0", folder)
    refused(lambda: shelf.add(site, folder, version="x y"), "is no version", folder)
    refused(lambda: shelf.add(site, site / "releases"), "within one another", site / "releases")
    shelf.add(site, folder)
    other = make("1.1", url="https://example.org/")
    refused(lambda: shelf.add(other, folder), "was built for https://example.org/", folder)
    broken = make("1.2")
    (broken / "book/index.html").unlink()
    refused(lambda: shelf.add(broken, folder), "book/a.html points to index.html", folder)
    (broken / marks.FILE).write_text("[1]")
    refused(lambda: shelf.add(broken, folder), "does not describe a release", folder)
    refused(lambda: shelf.remove("3.0", folder), "has no version 3.0", folder)
    refused(lambda: shelf.remove("1.0", tmp_path / "none"), "There is no folder", tmp_path / "none")


@pytest.mark.parametrize("name", ["index.html", "thesis.txt", "versions.json"])
def test_a_folder_of_something_else_is_not_written_to(make, tmp_path, name):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / name).write_text('[{"version": "1.0"}]')
    refused(lambda: shelf.add(make("1.0"), folder), f"holds {name}", folder)
    plain = tmp_path / "file"
    plain.write_text("x")
    with pytest.raises(ReleaseError, match="is not a folder"):
        shelf.add(make("1.0"), plain)


def test_what_is_not_ours_stays(make, tmp_path):
    folder = tmp_path / "releases"
    (folder / ".git").mkdir(parents=True)
    (folder / "CNAME").write_text("book.example.org")
    shelf.add(make("1.0"), folder)
    (folder / "notes").mkdir()
    (folder / "notes/x.txt").write_text("mine")
    (folder / "1.1").mkdir()
    (folder / "latest").symlink_to("1.0")
    refused(lambda: shelf.add(make("1.1"), folder, overwrite=True), "is no release", folder)
    shelf.add(make("1.2"), folder)
    shelf.remove("1.0", folder)
    assert shelf.strange(folder) == ["1.1", "CNAME", "latest", "notes"]
    assert (folder / "notes/x.txt").read_text() == "mine"
    assert (folder / ".git").is_dir()


@pytest.mark.parametrize("after", range(4))
def test_a_command_that_fails_midway_leaves_whole_files_and_the_next_one_finishes(
    make, tmp_path, monkeypatch, after
):
    folder, wanted = tmp_path / "releases", tmp_path / "wanted"
    for place in (folder, wanted):
        shelf.add(make("1.0"), place)
        shelf.add(make("1.1"), place)
    newer = make("1.1", ["book/index", "book/a", "book/new"])
    shelf.add(newer, wanted, overwrite=True)
    before, done = tree(folder), []
    true_replace, true_rename = os.replace, os.rename

    def stop(call):
        def moved(*paths, **options):
            done.append(paths)
            if len(done) == after + 1:
                raise KeyboardInterrupt
            return call(*paths, **options)

        return moved

    with monkeypatch.context() as patch:
        for name, call in (("replace", true_replace), ("rename", true_rename)):
            patch.setattr(os, name, stop(call))
        with pytest.raises(KeyboardInterrupt):
            shelf.add(newer, folder, overwrite=True)
    good = {name: {content} for name, content in before.items()}
    for name, content in tree(wanted).items():
        good.setdefault(name, set()).add(content)
    assert all(content in good[name] for name, content in tree(folder).items())
    assert (folder / "1.1/index.html").is_file()
    shelf.add(newer, folder, overwrite=True)
    assert tree(folder) == tree(wanted)


def test_what_a_killed_command_left_is_put_back(make, tmp_path):
    folder = tmp_path / "releases"
    shelf.add(make("1.0"), folder)
    shelf.add(make("1.1"), folder)
    before = tree(folder)
    old = folder / ".chapterhouse-release-x/old"
    old.mkdir(parents=True)
    (folder / "1.1").rename(old / "1.1")
    (folder / "versions.js").write_text("window.bookVersions = {};")
    assert [each.version for each in shelf.refresh(folder)] == ["1.1", "1.0"]
    assert tree(folder) == before


def test_the_commands_add_list_and_remove(make, tmp_path, capsys):
    folder = str(tmp_path / "releases")
    add = ["release", "add", "--releases", folder, "--site"]
    for version in ("1.0", "dev"):
        assert cli.main([*add, str(make(version))]) == 0
    capsys.readouterr()
    assert cli.main(["release", "list", "--json", "--releases", folder]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["default"] == "1.0"
    assert told["versions"][0] == {"version": "dev", "released": False, "pages": 2}
    assert told["up_to_date"] is True
    assert cli.main(["release", "remove", "1.0", "--releases", folder]) == 0
    assert "dev    2 pages  readers are led here" in capsys.readouterr().out
    assert cli.main(["release", "refresh", "--releases", folder]) == 0
    assert cli.main([*add, str(make("dev"))]) == 2
    assert "fix: " in capsys.readouterr().err
    assert cli.main(["release", "remove", "dev", "--releases", folder]) == 0
    assert cli.main(["release", "list", "--releases", folder]) == 0


def test_the_index_names_the_pages_that_each_version_has(make):
    told = front.index([marks.read(make("1.0"))])
    assert told["versions"][0]["pages"] == ["book/a.html", "book/index.html"]
    assert told["versions"][0]["root"] == "book/index.html"
    assert told["versions"][0]["url"] == "1.0/"
