"""MyST becomes markdown that Colab shows as it was meant."""

import pytest

from chapterhouse.errors import NotebookError
from chapterhouse.plain_markdown import Converter, Link, Links

LINKS = Links(
    page=lambda path: Link("Page", f"https://x.org/{path}"),
    label=lambda name: Link("The label", f"https://x.org/#{name}"),
    term=lambda name: Link(name, f"https://x.org/words#{name}"),
    cite=lambda key: Link("Ho, 2020", f"https://arxiv.org/{key}"),
    image=lambda path: f"https://x.org/images/{path}",
)

CASES = {
    "note": ("```{note}\nBe careful.\n```", "> **Note**\n>\n> Be careful."),
    "note_with_words": ("```{note} Be careful.\n```", "> **Note**\n>\n> Be careful."),
    "admonition": (
        ":::{admonition} Predict\n:class: predict\nWhat comes?\n:::",
        "> **Predict**\n>\n> What comes?",
    ),
    "dropdown_class": (
        "```{admonition} Answer\n:class: dropdown\nIt is $42$.\n```",
        "<details><summary>Answer</summary>\n\nIt is $42$.\n\n</details>",
    ),
    "nested": (
        "````{note}\nOne.\n```{tip}\nTwo.\n```\n````",
        "> **Note**\n>\n> One.\n>\n> > **Tip**\n> >\n> > Two.",
    ),
    "neighbours": (
        "Before.\n```{note}\nA.\n```\nAfter.",
        "Before.\n\n> **Note**\n>\n> A.\n\nAfter.",
    ),
    "math": ("```{math}\n:label: e\nx^2\n```", "$$\nx^2\n$$"),
    "labelled_dollars": ("$$\nx^2\n$$ (eq-x)", "$$\nx^2\n$$"),
    "figure": (
        "```{figure} a.png\n:alt: A fish & chips.\n:name: fig\n\nA *fish*.\n```",
        '<img src="https://x.org/images/a.png" alt="A fish &amp; chips.">\n\n*A *fish*.*',
    ),
    "picture": ("![A fish](b.png)", "![A fish](https://x.org/images/b.png)"),
    "html_picture": ('<img src="b.png" alt="x">', '<img src="https://x.org/images/b.png" alt="x">'),
    "public_picture": ("![A](https://y.org/b.png)", "![A](https://y.org/b.png)"),
    "target": ("(name)=\n# Title", "# Title"),
    "comment": ("% a note to myself\nText.", "Text."),
    "link": ("[the words](../b.md)", "[the words](https://x.org/../b.md)"),
    "link_without_words": ("[](b.md)", "[Page](https://x.org/b.md)"),
    "link_to_a_place": ("[there](#name)", "[there](https://x.org/#name)"),
    "public_link": ("[x](https://y.org/z)", "[x](https://y.org/z)"),
    "term": ("{term}`batch`", "[batch](https://x.org/words#batch)"),
    "term_with_words": ("{term}`batches <batch>`", "[batches](https://x.org/words#batch)"),
    "ref": ("{ref}`name`", "[The label](https://x.org/#name)"),
    "numref": ("{numref}`Figure %s <name>`", "[Figure](https://x.org/#name)"),
    "cite": ("{cite}`a,b`", "([Ho, 2020](https://arxiv.org/a); [Ho, 2020](https://arxiv.org/b))"),
    "cite_text": ("{cite:t}`a`", "[Ho, 2020](https://arxiv.org/a)"),
    "role_in_code": ("`` {term}`x` ``", "`` {term}`x` ``"),
    "link_in_code": ("`[a](b.md)`", "`[a](b.md)`"),
    "code": ("```{code-block} python\nx = 1\n```", "```python\nx = 1\n```"),
    "fence": ("```python\n{note}\n```", "```python\n{note}\n```"),
    "footnote": ("Text.[^1]\n\n[^1]: More.", "Text.<sup>1</sup>\n\n<sup>1</sup> More."),
    "list_table": (
        "```{list-table} Errors\n:header-rows: 1\n* - model\n  - error\n* - line\n  - 0.1\n```",
        "**Errors**\n\n| model | error |\n| --- | --- |\n| line | 0.1 |",
    ),
    "proof": ("```{prf:theorem} Bayes\nText.\n```", "> **Theorem: Bayes**\n>\n> Text."),
    "dropped": ("One.\n\n```{bibliography}\n```\n\nTwo.", "One.\n\nTwo."),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_form_has_its_plain_one(name):
    text, plain = CASES[name]
    assert Converter(LINKS).convert(text) == plain


def test_without_addresses_the_words_stay():
    text = "{doc}`02_next`, {ref}`name`, {term}`batch` and [the words](x.md)."
    assert Converter().convert(text) == "02_next, name, batch and the words."


def test_a_directive_may_have_a_rendering_of_its_own():
    converter = Converter(directives={"graded": lambda block: f"Solve {block.argument}."})
    assert converter.convert("```{graded} 04_x\n```") == "Solve 04_x."


@pytest.mark.parametrize("text", ["```{mermaid}\nx\n```", "{unknown}`x`", "{run}`loss`"])
def test_what_has_no_plain_form_is_refused_by_name(text):
    with pytest.raises(NotebookError, match="chapter 4, cell 2") as caught:
        Converter(name="chapter 4, cell 2").convert(text)
    assert "raw text" in caught.value.found
    assert caught.value.fix
