"""MyST is read as blocks and roles, and nothing is lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapterhouse import myst

SAMPLE = """\
# Title

A {term}`batch`, a span `` {run}`not this` ``, and $a{b}`c`$ for $5 and $6.

````{admonition} Predict
:class: predict dropdown
Inside {term}`x`.
```{math}
{run}`not this either`
```
```python
{run}`nor this`
```
````
- item
  ```{note} Words
  nested {run}`q:.1%`
  ```
:::{tip}
with colons
:::
"""

pieces = st.lists(
    st.sampled_from(
        ["```", "````", ":::", "~~~", "```{note}", ":::{tip} x", "```python", "{run}`a`", "`", "``",
         "$x$", "$$", "text", "", "  ", ":class: y", "---", "{a", "{term}`b <c>`", "- item"]
    ),
    max_size=14,
).map("\n".join)  # fmt: skip


@given(pieces)
def test_blocks_give_back_the_text_they_were_read_from(text):
    assert "\n".join(block.text for block in myst.blocks(text)) == text


@given(pieces)
def test_rewriting_nothing_changes_nothing(text):
    assert myst.rewrite(text) == text


def test_names_of_every_directive_and_role_outside_code_and_mathematics():
    found = [item.name for item in myst.walk(SAMPLE)]
    assert sorted(found) == sorted(["term", "admonition", "term", "math", "note", "run", "tip"])


def test_a_directive_is_read_with_argument_options_and_body():
    text = "```{figure} a.png\n:alt: A fish.\n:width: 40%\n\nThe caption.\n```"
    (block,) = myst.blocks(text)
    assert (block.name, block.argument) == ("figure", "a.png")
    assert block.options == {"alt": "A fish.", "width": "40%"}
    assert block.body == "The caption."


def test_options_may_stand_between_dashes():
    (block,) = myst.blocks("```{figure} a.png\n---\nalt: A fish.\n---\nThe caption.\n```")
    assert block.options == {"alt": "A fish."}
    assert block.body == "The caption."


def test_a_fence_that_is_never_closed_reaches_to_the_end():
    (block,) = myst.blocks("```{note}\none\ntwo")
    assert block.body == "one\ntwo"


def test_roles_are_replaced_at_every_depth_and_code_is_left_alone():
    new = myst.rewrite(SAMPLE, role=lambda r: f"<{r.body}>" if r.name == "run" else None)
    assert "nested <q:.1%>" in new
    assert "`` {run}`not this` ``" in new
    assert "{run}`not this either`" in new
    assert "{run}`nor this`" in new


def test_a_nested_directive_keeps_its_indent_when_it_is_replaced():
    new = myst.rewrite(SAMPLE, directive=lambda d: "one\ntwo" if d.name == "note" else None)
    assert "- item\n  one\n  two\n:::{tip}" in new


@pytest.mark.parametrize(
    ("body", "title", "target"),
    [("batch", None, "batch"), ("the words <name>", "the words", "name"), ("<name>", None, "name")],
)
def test_a_role_knows_its_title_and_its_target(body, title, target):
    role = myst.Role("ref", body, f"{{ref}}`{body}`")
    assert (role.title, role.target) == (title, target)


def test_a_role_does_not_reach_over_an_empty_line():
    assert myst.walk("{term}`one\n\ntwo`") == []
