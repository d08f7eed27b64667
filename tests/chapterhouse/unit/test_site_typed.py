"""Results typed into prose by hand are found, and numbers that are nothing of the kind are not."""

from pathlib import Path

import pytest
from nbformat import v4

from chapterhouse.site import typed
from chapterhouse.site.executed import CLAIM, Executed
from chapterhouse.site.typed import numbers


def run_of(prose: str, *, code: str = "score = fit()", given: tuple[str, ...] = ()) -> Executed:
    """A chapter whose run recorded 0.88567 as ``accuracy``, and claimed and printed more."""
    words = v4.new_markdown_cell(prose, metadata={"given": list(given)} if given else {})
    cell = v4.new_code_cell(code)
    cell.outputs = [
        v4.new_output("stream", text="epoch 3: loss 0.4321, 12 s\n"),
        v4.new_output("display_data", data={CLAIM: {"text": "t"}, "text/plain": "✓ t (0.777)"}),
    ]
    notebook = v4.new_notebook(cells=[words, cell])
    return Executed(
        slug="01_a",
        source_path=Path("chapters/01_a.ipynb"),
        source=notebook,
        notebook=notebook,
        profile="fast",
        wall_s=1.0,
        cpu_s=1.0,
        peak_memory_bytes=1,
        claims=({"text": "far", "held": True, "value": 5.25, "name": None},),
        values={"accuracy": 0.88567, "count": 13_579, "few": 7, "slope": -0.4375, "who": "me"},
        data=(),
    )


@pytest.mark.parametrize(
    "prose",
    [
        "It is right in 88.6% of the cases.",
        "It is right in 89 % of them.",
        "It is right in 88.57 percent of them.",
        "The accuracy is 0.886, which is fine.",
        "An accuracy of 0.89.",
        "There are 13,579 pictures.",
        "There are 13579 pictures.",
        "Its slope is −0.4375.",
        "It is 5.25 times as far.",
        "The loss of 0.4321 is printed above.",
        "```{admonition} Note\n:class: tip\n\nIt has 88.6%.\n```",
        "| model | accuracy |\n|---|---|\n| net | 0.886 |",
    ],
)
def test_a_result_in_the_prose_is_found_to_its_digits(prose):
    (found,) = typed.findings(run_of(f"# A\n\n{prose}"))
    assert found.startswith("chapters/01_a.ipynb, cell 1: ")


@pytest.mark.parametrize(
    "prose",
    [
        "It is right in {run}`accuracy:.1%` of the cases.",
        "It is right in 88.7% or 87% of the cases.",
        "Guessing gives 10%, a coin 50%, and 100% is all.",
        "There are 7 of them, or 13,580.",
        "`0.886` is code and $x = 0.886$ a formula.",
        "```python\nx = 0.886\n```",
        "```{code-block} python\nx = 0.886\n```",
        "[a paper](https://arxiv.org/abs/0.886) and https://example.org/0.886",
        "Version 2.0.886 and 0.886.1 are numbers of something else.",
        "About 0.9 is too coarse to be blamed.",
        "Claims show 0.777 themselves.",
    ],
)
def test_other_numbers_pass(prose):
    assert typed.findings(run_of(f"# A\n\n{prose}")) == []


@pytest.mark.parametrize(
    "code", ["limit = 0.886", "limit = 88.6", 'claim("over 88.6% of them", True)', "%time f(0.886)"]
)
def test_a_number_that_the_code_writes_is_no_result(code):
    assert typed.findings(run_of("# A\n\nThe limit is 88.6%, that is 0.886.", code=code)) == []


def test_a_number_may_be_given_in_the_metadata_of_its_cell():
    assert typed.findings(run_of("# A\n\nIt is 0.886.", given=("0.886",))) == []
    assert len(typed.findings(run_of("# A\n\nIt is 0.89.", given=("0.886",)))) == 1


def test_the_finding_names_what_belongs_in_its_place():
    (found,) = typed.findings(run_of("# A\n\nIt is 88.6%."))
    assert "88.6% is typed by hand" in found
    assert "{run}`accuracy`" in found


def test_numbers_are_read_as_they_stand():
    read = {
        n.text: (n.value, n.decimals, n.percent) for n in numbers("1,234.5, −3% and 7 per cent.")
    }
    assert read == {
        "1,234.5": (1234.5, 1, False),
        "−3%": (3.0, 0, True),
        "7 per cent": (7.0, 0, True),
    }
