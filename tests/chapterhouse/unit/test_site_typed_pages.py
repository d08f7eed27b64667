"""Results typed into a page are found; versions, round numbers and other units are not."""

from pathlib import Path

import pytest

from chapterhouse.site import typed_pages
from chapterhouse.site.executed import Executed
from chapterhouse.site.typed_pages import Figure

FIGURES = [
    Figure("{run}`01_a/accuracy`", 0.88567),
    Figure("{run}`01_a/count`", 13_579.0),
    Figure("{run}`01_a/level`", 2.0),
    Figure("making the book", 75.9, "s"),
    Figure("one answer", 32.4, "ms"),
    Figure("memory", 1105.0, "MB"),
    Figure("how much faster", 56.3, "times"),
    Figure("overhead", 4.2, "%"),
]


@pytest.mark.parametrize(
    ("prose", "name"),
    [
        ("The net is right in 88.6% of the cases.", "{run}`01_a/accuracy`"),
        ("An accuracy of 0.89.", "{run}`01_a/accuracy`"),
        ("It has 13,579 pictures.", "{run}`01_a/count`"),
        ("The book takes 76 seconds.", "making the book"),
        ("The book takes 75.9 s.", "making the book"),
        ("An answer takes 32 ms.", "one answer"),
        ("It needs 1,105 MiB.", "memory"),
        ("It is 56 times as fast.", "how much faster"),
        ("It costs 4.2 percent.", "overhead"),
        ("| way | time |\n|---|---|\n| ours | 76 s |", "making the book"),
        ("```{note}\nThe book takes 76 s.\n```", "making the book"),
    ],
)
def test_a_result_on_a_page_is_found(prose, name):
    (found,) = typed_pages.findings(f"# Page\n\n{prose}\n", FIGURES, where="book/page.md")
    assert found.startswith("book/page.md: ")
    assert found.endswith(f"is typed by hand, but it is {name}")


@pytest.mark.parametrize(
    "prose",
    [
        "The licence is CC BY 2.0, and so on.",
        "Right in {run}`01_a/accuracy:.1%` of the cases.",
        "Write `0.886` into the file.",
        "```\n76 s\n```",
        "It takes 76 minutes.",
        "It has 76 pages, and 32 MB.",
        "At most 80 s, and 50 ms.",
        "In 88 of the cases.",
        "See [chapter](page-0.886.html).",
        "% given: 88.6%\n\nBy definition 88.6% of them.",
        "% made by benchmarks/report.py\n\nThe book takes 75.9 s.",
    ],
)
def test_what_is_no_result_is_left_alone(prose):
    assert typed_pages.findings(f"# Page\n\n{prose}\n", FIGURES, where="book/page.md") == []


def test_a_given_number_excuses_no_other():
    text = "% given: 88.6%, 32\n\n88.6% of them, and 0.886 too.\n"
    (found,) = typed_pages.findings(text, FIGURES, where="p")
    assert found.startswith("p: 0.886 is")


def test_the_figures_of_runs_are_named_as_a_page_writes_them():
    run = Executed(
        slug="01_a", source_path=Path("chapters/01_a.ipynb"), source=None, notebook=None,
        profile="fast", wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1, data=(),
        claims=(
            {"text": "far", "held": True, "value": 5.25, "name": None},
            {"text": "right", "held": True, "value": 0.5, "name": "share"},
            {"text": "yes", "held": True, "value": True, "name": None},
        ),
        values={"accuracy": 0.88567, "who": "me", "done": True},
    )  # fmt: skip
    assert [(figure.name, figure.value) for figure in typed_pages.of_runs([run])] == [
        ("{run}`01_a/share`", 0.5),
        ("{run}`01_a/accuracy`", 0.88567),
        ("a value that 01_a claims: 'far'", 5.25),
    ]
