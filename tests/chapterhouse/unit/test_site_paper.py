"""What the pages of the PDF say above themselves."""

from __future__ import annotations

import tinycss2
from hypothesis import given
from hypothesis import strategies as st

from chapterhouse.site import paper


def strings(css: str) -> list[str]:
    """All strings of a sheet, read by a parser of CSS."""
    tokens, found = tinycss2.parse_component_value_list(css), []
    while tokens:
        token = tokens.pop(0)
        if token.type == "string":
            found.append(token.value)
        tokens = list(getattr(token, "content", None) or []) + tokens
    return found


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_title_comes_out_as_it_is_and_ends_nothing(title: str) -> None:
    css = paper.running_heads("Book", [title], ["page-0"])
    assert strings(css) == (["Book"] if title == "Book" else ["Book", title])
    assert "</" not in css


def test_each_section_has_its_own_head_and_the_landing_page_says_the_name_once() -> None:
    css = paper.running_heads("A book", ["A book", 'On "<style>"'], ["page-0", "page-1"])
    assert strings(css) == ["A book", "A book", 'On "<style>"']
    for place in ("page-0", "page-1"):
        assert f"#{place} {{ page: {place}; }}" in css
        assert f"@page {place} {{" in css
