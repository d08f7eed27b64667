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
        "text": "two is more than one", "held": True, "value": 2, "name": None,
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
