"""The site's settings come from Jupyter Book's own two files, checked."""

import pytest

from chapterhouse.course import Course
from chapterhouse.errors import SiteError
from chapterhouse.site import settings

TOC = """\
format: jb-book
root: book/index
parts:
  - caption: One
    chapters:
      - file: chapters/01_a
        sections:
          - file: book/more
"""


@pytest.fixture
def write(tmp_path):
    def write_course(config: str = "title: T", toc: str = TOC) -> Course:
        (tmp_path / "pyproject.toml").write_text("[tool.chapterhouse]\ntitle = 'T'\n")
        (tmp_path / "_config.yml").write_text(config)
        (tmp_path / "_toc.yml").write_text(toc)
        return Course.find(tmp_path)

    return write_course


def test_pages_come_in_reading_order(write):
    found = settings.load(write())
    assert found.root_page == "book/index"
    assert found.pages == ("book/index", "chapters/01_a", "book/more")


def test_without_an_address_nothing_is_linked(write):
    found = settings.load(write("title: T\nhtml:\n  baseurl:\nrepository:\n  url: ''"))
    assert found.base_url == ""
    assert found.page_url("book/index") is None
    assert found.source_url("chapters/01_a.ipynb") is None
    assert found.colab_url("colab/01_a.ipynb") is None


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ("html: {baseurl: https://ann.github.io/course}",
         "https://colab.research.google.com/github/ann/course/blob/gh-pages/colab/01.ipynb"),
        ("html: {baseurl: https://ann.github.io/}",
         "https://colab.research.google.com/github/ann/ann.github.io/blob/gh-pages/colab/01.ipynb"),
        ("html: {baseurl: https://example.org/course/}", None),
        ("html: {baseurl: https://example.org/}\n"
         "sphinx: {config: {chapterhouse_colab_prefix: https://c.org/x}}",
         "https://c.org/x/colab/01.ipynb"),
    ],
)  # fmt: skip
def test_colab_opens_from_github_or_from_a_named_place(write, config, url):
    assert settings.load(write(config)).colab_url("colab/01.ipynb") == url


def test_the_address_ends_with_one_slash(write):
    found = settings.load(write("html: {baseurl: https://example.org/course}"))
    assert found.page_url("chapters/01_a") == "https://example.org/course/chapters/01_a.html"


@pytest.mark.parametrize(
    ("address", "colab"),
    [
        ("https://ann.github.io/course/", "ann/course/blob/gh-pages/1.2/colab/01.ipynb"),
        ("https://ann.github.io", "ann/ann.github.io/blob/gh-pages/1.2/colab/01.ipynb"),
    ],
)
def test_a_version_has_its_own_address_below_the_public_one(write, address, colab):
    found = settings.load(write(f"html: {{baseurl: {address}}}"), "v1.2")
    public = address.rstrip("/") + "/"
    assert found.version == "1.2"
    assert found.public_url == public
    assert found.page_url("chapters/01_a") == f"{public}1.2/chapters/01_a.html"
    assert found.colab_url("colab/01.ipynb").endswith(f"/github/{colab}")
    assert "1.2%2Fcolab%2F01.ipynb" in found.kaggle_url("colab/01.ipynb")


def test_a_version_without_a_public_address_is_only_named(write):
    found = settings.load(write(), "dev")
    assert (found.version, found.base_url, found.public_url) == ("dev", "", "")
    with pytest.raises(SiteError, match="'newest' is no version"):
        settings.load(write(), "newest")


def test_a_named_place_for_colab_has_a_folder_a_version(write):
    config = "sphinx: {config: {chapterhouse_colab_prefix: https://c.org/x}}"
    assert settings.load(write(config), "2.0").colab_url("a.ipynb") == "https://c.org/x/2.0/a.ipynb"


def test_the_source_is_linked_on_its_branch(write):
    found = settings.load(
        write("repository: {url: https://github.com/ann/course.git, branch: dev}")
    )
    assert found.source_url("a b.ipynb").endswith("blob/dev/a%20b.ipynb")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("html: {baseurl: example.org}", "not an address"),
        ("html: [1, 2]", "not a table"),
        ("repository: {url: https://gitlab.com/a/b}", "not a GitHub repository"),
        ("title: [", "not valid YAML"),
        ("- a list", "no settings"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(write, config, says):
    with pytest.raises(SiteError, match=says) as caught:
        settings.load(write(config))
    assert caught.value.fix


def test_missing_files_are_named(write, tmp_path):
    course = write()
    (tmp_path / "_toc.yml").unlink()
    with pytest.raises(SiteError, match=r"_toc\.yml does not exist"):
        settings.load(course)


def test_a_table_of_contents_without_root_is_refused(write):
    with pytest.raises(SiteError, match="no `root`"):
        settings.load(write(toc="format: jb-book\n"))


def test_a_page_that_is_listed_twice_is_refused(write):
    with pytest.raises(SiteError, match="lists book/more more than once"):
        settings.load(write(toc=TOC + "  - caption: Two\n    chapters: [{file: book/more}]\n"))


@pytest.mark.parametrize("page", ["chapters/02_b", "book/api/api_x"])
def test_a_notebook_that_is_not_in_the_contents_is_refused(write, page):
    course = write()
    path = course.root / f"{page}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(SiteError, match=rf"{page} is not in .*_toc\.yml") as caught:
        settings.load(course)
    assert f"- file: {page}" in caught.value.fix
