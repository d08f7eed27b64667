"""Claims: a tick or a failure, and a record that machines can read."""

import html
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch

import sprat as sp
from sprat.claims import CLAIM, RECORD
from sprat.errors import ClaimFailed, SpratError


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a notebook would show."""
    bundles: list[dict[str, Any]] = []
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: object()  # type: ignore[attr-defined]
    display = types.ModuleType("IPython.display")
    display.display = lambda bundle, raw: bundles.append(bundle)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return bundles


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script or a test: nobody has imported IPython."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)


def test_a_claim_that_holds(shown: list[dict[str, Any]]) -> None:
    sp.claim("two is more than one", 2 > 1, value=2)
    (bundle,) = shown
    assert bundle[CLAIM] == {
        "text": "two is more than one", "held": True, "value": 2, "name": None, "limits": [],
    }  # fmt: skip
    assert bundle["text/plain"] == "✓ two is more than one (2)"
    assert 'aria-label="held"' in bundle["text/html"]


def test_an_equality_says_where_it_holds(shown: list[dict[str, Any]]) -> None:
    sp.claim("both ways agree", 0.0, exactly=0, on="cpu, <any> number of threads")
    sp.claim("so it is", True)
    assert shown[0][CLAIM]["on"] == "cpu, <any> number of threads"
    assert shown[0]["text/plain"] == "✓ both ways agree (0) [cpu, <any> number of threads]"
    assert "[cpu, &lt;any&gt; number of threads]" in shown[0]["text/html"]
    assert "on" not in shown[1][CLAIM]


def test_a_claim_that_does_not_hold_is_shown_and_recorded_and_stops_no_notebook(
    shown: list[dict[str, Any]],
) -> None:
    sp.claim("one is more than two", torch.tensor(False), value=torch.tensor(1.5))
    (bundle,) = shown
    assert bundle[CLAIM] == {
        "text": "one is more than two", "held": False, "value": 1.5, "name": None, "limits": [],
    }  # fmt: skip
    assert bundle["text/plain"] == "✗ one is more than two (1.5)"
    assert 'aria-label="failed"' in bundle["text/html"]
    assert "sprat-claim-failed" in bundle["text/html"]


def test_outside_a_notebook_a_claim_that_does_not_hold_raises(
    outside: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        ClaimFailed, match=r"this run: so it is \(0\.8\); it must be > 0\.9\."
    ) as caught:
        sp.claim("so it is", 0.8, above=0.9)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, SpratError)
    assert capsys.readouterr().out == "✗ so it is (0.8); it must be > 0.9\n"


def test_a_named_number_is_kept_for_the_prose_even_if_its_claim_does_not_hold(
    shown: list[dict[str, Any]],
) -> None:
    sp.claim("nine in ten", 0.8, above=0.9, name="share")
    assert shown[1][RECORD] == {"values": {"share": 0.8}}


def test_named_values_are_kept_for_the_prose(shown: list[dict[str, Any]]) -> None:
    sp.claim("good", True, value=np.float32(0.25), name="share")
    sp.record(count=torch.tensor(3), rate=0.5, word="yes", flag=True)
    assert shown[1][RECORD] == {"values": {"share": 0.25}}
    assert shown[2][RECORD] == {"values": {"count": 3, "rate": 0.5, "word": "yes", "flag": 1}}


def test_text_cannot_break_out_of_the_page(shown: list[dict[str, Any]]) -> None:
    sp.claim("a < b & <script>", True)
    assert "<script>" not in shown[0]["text/html"]


def test_outside_a_notebook_it_prints(outside: None, capsys: pytest.CaptureFixture[str]) -> None:
    sp.claim("it holds", True, value=0.123456)
    assert capsys.readouterr().out == "✓ it holds (0.1235)\n"


@pytest.mark.parametrize(
    ("value", "found"),
    [(float("nan"), "nan"), (float("inf"), "inf"), (torch.tensor(-float("inf")), "-inf")],
)
def test_a_number_that_is_not_finite_keeps_no_limit_and_is_no_value(
    shown: list[dict[str, Any]], value: Any, found: str
) -> None:
    sp.claim("the loss is small", value, below=0.5, name="loss")
    sp.claim("it holds", True, value=value)
    limited, yes_or_no = shown  # and nothing is kept by name
    assert limited[CLAIM] == {
        "text": "the loss is small", "held": False, "value": None, "name": "loss",
        "limits": [{"sign": "<", "number": 0.5, "within": 0}], "found": found,
    }  # fmt: skip
    assert limited["text/plain"] == f"✗ the loss is small ({found}); it must be < 0.5"
    assert yes_or_no["text/plain"] == f"✗ it holds ({found}); it must be finite"


def test_outside_a_notebook_a_number_that_is_not_finite_raises(outside: None) -> None:
    with pytest.raises(ClaimFailed, match=r"\(nan\); it must be < 0\.5"):
        sp.claim("the loss is small", float("nan"), below=0.5)


def test_what_is_not_finite_is_not_recorded(shown: list[dict[str, Any]]) -> None:
    with pytest.raises(ClaimFailed, match="The value is nan"):
        sp.record(loss=float("nan"))
    assert shown == []


@pytest.mark.parametrize(
    ("number", "limits", "recorded"),
    [
        (0.9, {"above": 0.8}, [{"sign": ">", "number": 0.8, "within": 0}]),
        (0.1, {"below": torch.tensor(0.5)}, [{"sign": "<", "number": 0.5, "within": 0}]),
        (torch.tensor(2.5), {"near": (2.0, 0.5)}, [{"sign": "≈", "number": 2.0, "within": 0.5}]),
        (np.int64(3), {"exactly": 3}, [{"sign": "=", "number": 3, "within": 0}]),
        (
            1.0,
            {"above": 0.5, "below": 1.5},
            [
                {"sign": ">", "number": 0.5, "within": 0},
                {"sign": "<", "number": 1.5, "within": 0},
            ],
        ),
    ],
)
def test_a_number_and_its_limit(
    shown: list[dict[str, Any]], number: Any, limits: dict[str, Any], recorded: list[Any]
) -> None:
    sp.claim("so it is", number, **limits, name="kept")
    record = shown[0][CLAIM]
    assert (record["held"], record["value"]) == (True, pytest.approx(float(number)))
    assert record["limits"] == recorded
    assert shown[1][RECORD]["values"]["kept"] == pytest.approx(float(number))


@pytest.mark.parametrize(
    ("number", "limits", "must"),
    [
        (0.8, {"above": 0.8}, "> 0.8"),
        (0.5, {"below": 0.5}, "< 0.5"),
        (2.6, {"near": (2.0, 0.5)}, "≈ 2 ± 0.5"),
        (4, {"exactly": 3}, "= 3"),
        (1.5, {"above": 0.5, "below": 1.5}, "> 0.5 and < 1.5"),
    ],
)
def test_a_number_outside_its_limit_fails_and_says_what_it_must_be(
    shown: list[dict[str, Any]], number: float, limits: dict[str, Any], must: str
) -> None:
    sp.claim("so it is", number, **limits)
    (bundle,) = shown
    assert bundle[CLAIM]["held"] is False
    assert bundle["text/plain"] == f"✗ so it is ({number}); it must be {must}"
    assert html.escape(f"({number}); it must be {must}") in bundle["text/html"]


@pytest.mark.parametrize(
    ("fact", "options", "found"),
    [
        (True, {"above": 0.5}, "yes or no"),
        (torch.tensor(True), {"above": 0.5}, "yes or no"),
        (np.bool_(True), {"exactly": 1}, "yes or no"),
        (1.0, {"above": 0.5, "value": 1.0}, "a limit and a value"),
        (1.0, {"above": 0.5, "near": (1, 0.1)}, "more than one kind"),
        (1.0, {"below": 2, "exactly": 1}, "more than one kind"),
        (1.0, {"near": (1.0, 0)}, "near is"),
        (1.0, {"above": float("nan")}, "The value is nan"),
        ("much", {"above": 0.5}, "no number but a str"),
        (torch.zeros(2), {"above": 0.5}, "no number but a Tensor"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    shown: list[dict[str, Any]], fact: Any, options: dict[str, Any], found: str
) -> None:
    with pytest.raises(ClaimFailed, match=found):
        sp.claim("so it is", fact, **options)
    assert shown == []
