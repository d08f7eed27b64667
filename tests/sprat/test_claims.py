"""Claims: a tick or a failure, and a record that machines can read."""

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


def test_a_claim_that_holds(shown: list[dict[str, Any]]) -> None:
    sp.claim("two is more than one", 2 > 1, value=2)
    (bundle,) = shown
    assert bundle[CLAIM] == {
        "text": "two is more than one", "held": True, "value": 2, "name": None, "limits": [],
    }  # fmt: skip
    assert bundle["text/plain"] == "✓ two is more than one (2)"
    assert 'aria-label="held"' in bundle["text/html"]


def test_a_claim_that_does_not_hold_fails_and_is_recorded(shown: list[dict[str, Any]]) -> None:
    with pytest.raises(ClaimFailed, match="does not hold") as caught:
        sp.claim("one is more than two", torch.tensor(False), value=torch.tensor(1.5))
    assert shown[0][CLAIM]["held"] is False
    assert shown[0][CLAIM]["value"] == 1.5
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, SpratError)


def test_named_values_are_kept_for_the_prose(shown: list[dict[str, Any]]) -> None:
    sp.claim("good", True, value=np.float32(0.25), name="share")
    sp.record(count=torch.tensor(3), rate=0.5, word="yes", flag=True)
    assert shown[1][RECORD] == {"values": {"share": 0.25}}
    assert shown[2][RECORD] == {"values": {"count": 3, "rate": 0.5, "word": "yes", "flag": 1}}


def test_text_cannot_break_out_of_the_page(shown: list[dict[str, Any]]) -> None:
    sp.claim("a < b & <script>", True)
    assert "<script>" not in shown[0]["text/html"]


def test_outside_a_notebook_it_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    sp.claim("it holds", True, value=0.123456)
    assert capsys.readouterr().out == "✓ it holds (0.1235)\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(float("nan"))])
def test_what_is_not_finite_has_no_place_in_a_statement(value: Any) -> None:
    with pytest.raises(ClaimFailed, match="The value is"):
        sp.claim("it holds", True, value=value)


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
    with pytest.raises(ClaimFailed, match=f"must be {must}"):
        sp.claim("so it is", number, **limits)
    assert shown[0][CLAIM]["held"] is False


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
        (float("nan"), {"above": 0.5}, "The value is nan"),
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
