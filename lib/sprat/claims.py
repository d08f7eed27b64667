"""Claims: statements of the prose that the run checks, and values that the prose quotes.

``claim`` shows a tick when its statement holds, and a cross with the number and its limit when it
does not. A statement about a number is given the number and its limit, so that a page can tell how
far the number is from failing; a plain yes or no is given the condition alone:

    sp.claim("nine in ten are right", accuracy, above=0.9)
    sp.claim("the loss is that of a blind guess", loss, near=(math.log(10), 0.15))
    sp.claim("the loaded model gives the same answers", answers == before)
    sp.claim("both ways give one loss", gap, exactly=0, on="cpu, any number of threads")

In a notebook a claim that does not hold stops nothing: the cells after it run, and whoever executes
the notebook reads the record and counts the run as failed. In a script or a test nobody reads it,
so there the claim raises `ClaimFailed`. A number that is not finite keeps no limit. What can't be
judged (limits of two kinds, a limit that is not finite, a text in place of a number) is a mistake
of the author, and raises everywhere.

``record`` keeps values by name. Both leave a machine-readable record in the notebook's output,
which is where the book's numbers, its list of claims and its tests come from:

- ``application/vnd.sprat.claim+json``: ``{"text", "held", "value", "name", "limits"}``; a limit is
  ``{"sign", "number", "within"}``, where the sign is ``>``, ``<``, ``=`` or ``≈`` (up to `within`),
  and a yes or no has none; a number that is not finite has the value null and stands as text in
  ``"found"``: ``"nan"``, ``"inf"`` or ``"-inf"``; ``"on"`` and
  ``"by_construction"`` are there where the claim says them
- ``application/vnd.sprat.record+json``: ``{"values": {name: value}}``
"""

import html
import json
import math
import sys
from collections.abc import Sequence
from typing import Any, SupportsFloat

from sprat.errors import ClaimFailed

CLAIM = "application/vnd.sprat.claim+json"
RECORD = "application/vnd.sprat.record+json"


def claim(
    text: str,
    fact: Any,
    *,
    above: SupportsFloat | None = None,
    below: SupportsFloat | None = None,
    near: tuple[SupportsFloat, SupportsFloat] | None = None,
    exactly: SupportsFloat | None = None,
    value: SupportsFloat | None = None,
    name: str | None = None,
    on: str | None = None,
    by_construction: bool = False,
) -> None:
    """State something about this run, and show whether it is so.

    Args:
        text: the statement, as the reader sees it.
        fact: the number that the statement is about, where a limit is given; without a limit
            whether it holds, anything that ``bool`` takes.
        above: the number must be greater than this; together with `below` it lies between them.
        below: the number must be less than this.
        near: a target and a tolerance; the number may differ from the target by the tolerance.
        exactly: the number must be this one.
        value: a number shown beside a yes or no, and kept over runs; with a limit it is `fact`.
        name: also keep the value under this name, for the prose to quote.
        on: of an equality to the last bit, the devices and threads for which it is claimed:
            ``"cpu, any number of threads"``, ``"cpu, one thread"``.
        by_construction: the limit follows from how the number is made (a share is at most 1), so
            how near it lies says nothing about another seed or processor.

    Raises:
        ClaimFailed: what is given can't be judged; outside of a notebook also if it is not so.
    """
    limits = _limits(above=above, below=below, near=near, exactly=exactly)
    if limits:
        if value is not None:
            raise ClaimFailed(
                f"The claim {text!r} has a limit and a value.",
                fix="give the number as the second argument, and no value",
            )
        value = _measured(fact, text)
    number = None if value is None else _number(value)
    held = _judge(fact, number, limits)
    shown = ("" if number is None else f" ({_text(number)})") + (f" [{on}]" if on else "")
    if not held and number is not None:
        # A yes or no can fail by the number that stands beside it, too.
        finite = "" if math.isfinite(number) else "finite"
        must = " and ".join(map(_in_words, limits)) or finite
        shown += f"; it must be {must}" if must else ""
    more: dict[str, Any] = {"on": on} if on else {}
    more |= {"by_construction": True} if by_construction else {}
    told = {"text": text, "held": held, "value": number, "name": name, "limits": limits, **more}
    seen = _show_claim(told, shown)
    if not held and not seen:
        raise ClaimFailed(
            f"The claim does not hold in this run: {text}{shown}.",
            fix="find out why before you change the words: a claim is there to be believed",
        )
    if name is not None and number is not None and math.isfinite(number):
        _record({name: number})


def _judge(fact: Any, number: float | None, limits: list[dict[str, Any]]) -> bool:
    """Whether a claim holds: its number keeps the limits, or its yes or no is a yes."""
    if number is not None and not math.isfinite(number):
        return False
    if number is None or not limits:
        return bool(fact)
    return all(_keeps(number, limit) for limit in limits)


def _show_claim(told: dict[str, Any], shown: str) -> bool:
    """Show and record one claim, with what stands behind its text; whether a notebook did."""
    text, held, number = told["text"], told["held"], told["value"]
    if number is not None and not math.isfinite(number):  # JSON has no such number
        told.update(value=None, found=_text(number))
    mark, verdict = ("✓", "held") if held else ("✗", "failed")
    return show_record(
        CLAIM,
        told,
        plain=f"{mark} {text}{shown}",
        markup=f'<p class="sprat-claim sprat-claim-{verdict}">'
        f'<span role="img" aria-label="{verdict}">{mark}</span> {html.escape(text)}'
        f'<span class="sprat-claim-value">{html.escape(shown)}</span></p>',
    )


def _limits(
    *,
    above: SupportsFloat | None,
    below: SupportsFloat | None,
    near: Sequence[SupportsFloat] | None,
    exactly: SupportsFloat | None,
) -> list[dict[str, Any]]:
    """The limits as they stand in the record; `near` and `exactly` each go alone."""
    if sum([above is not None or below is not None, near is not None, exactly is not None]) > 1:
        raise ClaimFailed(
            "A claim has limits of more than one kind.",
            fix="give above, below or both; or near; or exactly",
        )
    if near is not None:
        if not isinstance(near, Sequence) or len(near) != 2 or not _plain(near[1]) > 0:
            raise ClaimFailed(
                f"near is {near!r}.", fix="give a target and a tolerance above 0: near=(1.0, 0.1)"
            )
        return [{"sign": "≈", "number": _plain(near[0]), "within": _plain(near[1])}]
    signs = {">": above, "<": below, "=": exactly}
    return [
        {"sign": sign, "number": _plain(number), "within": 0}
        for sign, number in signs.items()
        if number is not None
    ]


def _keeps(number: float, limit: dict[str, Any]) -> bool:
    """Whether a number keeps one limit."""
    bound = limit["number"]
    return {
        ">": number > bound,
        "<": number < bound,
        "=": number == bound,
        "≈": abs(number - bound) <= limit["within"],
    }[limit["sign"]]


def _in_words(limit: dict[str, Any]) -> str:
    within = f" ± {_text(limit['within'])}" if limit["within"] else ""
    return f"{limit['sign']} {_text(limit['number'])}{within}"


def _measured(fact: Any, text: str) -> int | float:
    """The number that a limit is about; a truth value would pass for 0 or 1."""
    if isinstance(fact, bool) or str(getattr(fact, "dtype", "")).endswith("bool"):
        raise ClaimFailed(
            f"The claim {text!r} has a limit, but it is given a yes or no.",
            fix="give the number itself: claim(text, accuracy, above=0.9)",
        )
    return _number(fact)


def record(**values: Any) -> None:
    """Keep values of this run by name, so that the prose can quote them.

    Args:
        **values: numbers (also tensors and arrays with one element) or strings.

    Raises:
        ClaimFailed: a value is neither, or is not finite.
    """
    _record(values)


def _record(values: dict[str, Any]) -> None:
    kept = {name: v if isinstance(v, str) else _plain(v) for name, v in values.items()}
    plain = ", ".join(
        f"{name} = {v if isinstance(v, str) else _text(v)}" for name, v in kept.items()
    )
    show_record(RECORD, {"values": kept}, plain=f"recorded {plain}")


def _number(value: Any) -> int | float:
    """One number, finite or not."""
    try:
        number = value.item() if hasattr(value, "item") else value
        return int(number) if isinstance(number, (bool, int)) else float(number)
    except (TypeError, ValueError, RuntimeError):
        raise ClaimFailed(
            f"The value is no number but a {type(value).__name__}.",
            fix="give one number: for a tensor its mean, its largest gap, or one element",
        ) from None


def _plain(value: Any) -> int | float:
    """A number that JSON can hold; what is not finite has no place in a limit or in the prose."""
    number = _number(value)
    if not math.isfinite(number):
        raise ClaimFailed(f"The value is {number}.", fix="claim and record only finite numbers")
    return number


def _text(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}"


def show_record(mime: str, data: dict[str, Any], *, plain: str, markup: str | None = None) -> bool:
    """Leave a record in a notebook's output; elsewhere only a claim says something.

    Args:
        mime: which kind of record.
        data: what JSON can hold.
        plain: what is shown where nobody knows the kind.
        markup: what a page shows, as HTML.

    Returns:
        Whether there is a notebook, which has it now.
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        if mime == CLAIM:
            print(plain)
        return False
    from IPython.display import display

    bundle = {mime: json.loads(json.dumps(data)), "text/plain": plain}
    if markup is not None:
        bundle["text/html"] = markup
    display(bundle, raw=True)
    return True
