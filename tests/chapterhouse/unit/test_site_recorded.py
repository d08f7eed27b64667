"""Numbers in prose come from the run, and a name that was not recorded is an error."""

import pytest

from chapterhouse.errors import SiteError
from chapterhouse.site import recorded

RUNS = {"01_a": {"acc": 0.8734, "n": 60000, "best": "ResNet"}, "02_b": {"loss": 0.5}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{run}`acc:.1%`", "87.3%"),
        ("{run}`n:,`", "60,000"),
        ("{run}`n`", "60000"),
        ("{run}`best`", "ResNet"),
        ("{run}`02_b/loss:.2f`", "0.50"),
        ("a `{run}` and {term}`x`", "a `{run}` and {term}`x`"),
        ("```python\n{run}`acc`\n```", "```python\n{run}`acc`\n```"),
        ("```{note}\n{run}`acc:.0%`\n```", "```{note}\n87%\n```"),
    ],
)
def test_a_role_becomes_the_value(text, shown):
    assert recorded.fill(text, RUNS, slug="01_a", where="x") == shown


def test_an_unknown_name_is_named_with_the_known_ones():
    with pytest.raises(SiteError, match="chapters/01, cell 3") as caught:
        recorded.fill("{run}`accuracy`", RUNS, slug="01_a", where="chapters/01, cell 3")
    assert "'accuracy'" in caught.value.found
    assert "acc, best, n" in caught.value.fix


def test_a_page_that_is_no_chapter_must_say_which_chapter():
    with pytest.raises(SiteError, match="names no executed chapter") as caught:
        recorded.fill("{run}`acc`", RUNS, slug=None, where="book/index.md")
    assert "01_a, 02_b" in caught.value.fix


@pytest.mark.parametrize("text", ["{run}`best:.1%`", "{run}`acc:d`", "{run}`acc:?`"])
def test_a_format_that_does_not_fit_is_named(text):
    with pytest.raises(SiteError, match="cannot format"):
        recorded.fill(text, RUNS, slug="01_a", where="x")
