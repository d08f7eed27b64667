"""Claims: statements of the prose that the run checks, and values that the prose quotes.

``claim`` shows a tick when its condition holds and fails the chapter when it does not. ``record``
keeps values by name. Both leave a machine-readable record in the notebook's output, which is where
the book's numbers, its list of claims and its tests come from:

- ``application/vnd.sprat.claim+json``: ``{"text", "held", "value", "name"}``
- ``application/vnd.sprat.record+json``: ``{"values": {name: value}}``
"""

import html
import json
import math
import sys
from typing import Any, SupportsFloat

from sprat.errors import ClaimFailed

CLAIM = "application/vnd.sprat.claim+json"
RECORD = "application/vnd.sprat.record+json"


def claim(
    text: str, condition: Any, *, value: SupportsFloat | None = None, name: str | None = None
) -> None:
    """State something about this run, and fail if it is not so.

    Args:
        text: the statement, as the reader sees it.
        condition: whether it holds; anything that ``bool`` takes.
        value: the number that it rests on, shown beside it and kept over runs.
        name: also keep the value under this name, for the prose to quote.

    Raises:
        ClaimFailed: the condition is false.
    """
    held = bool(condition)
    number = None if value is None else _plain(value)
    shown = "" if number is None else f" ({_text(number)})"
    mark = "✓" if held else "✗"
    verdict = "held" if held else "failed"
    show_record(
        CLAIM,
        {"text": text, "held": held, "value": number, "name": name},
        plain=f"{mark} {text}{shown}",
        markup=f'<p class="sprat-claim sprat-claim-{verdict}">'
        f'<span role="img" aria-label="{verdict}">{mark}</span> {html.escape(text)}'
        f'<span class="sprat-claim-value">{html.escape(shown)}</span></p>',
    )
    if not held:
        raise ClaimFailed(
            f"The claim does not hold in this run: {text}{shown}.",
            fix="find out why before you change the words: a claim is there to be believed",
        )
    if name is not None and number is not None:
        record(**{name: number})


def record(**values: Any) -> None:
    """Keep values of this run by name, so that the prose can quote them.

    Args:
        **values: numbers (also tensors and arrays with one element) or strings.
    """
    kept = {name: v if isinstance(v, str) else _plain(v) for name, v in values.items()}
    plain = ", ".join(
        f"{name} = {v if isinstance(v, str) else _text(v)}" for name, v in kept.items()
    )
    show_record(RECORD, {"values": kept}, plain=f"recorded {plain}")


def _plain(value: SupportsFloat) -> int | float:
    """A number that JSON can hold; what is not finite has no place in a statement."""
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, (bool, int)):
        return int(number)
    number = float(number)
    if not math.isfinite(number):
        raise ClaimFailed(f"The value is {number}.", fix="claim and record only finite numbers")
    return number


def _text(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}"


def show_record(mime: str, data: dict[str, Any], *, plain: str, markup: str | None = None) -> None:
    """Leave a record in a notebook's output; elsewhere only a claim says something.

    Args:
        mime: which kind of record.
        data: what JSON can hold.
        plain: what is shown where nobody knows the kind.
        markup: what a page shows, as HTML.
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        if mime == CLAIM:
            print(plain)
        return
    from IPython.display import display

    bundle = {mime: json.loads(json.dumps(data)), "text/plain": plain}
    if markup is not None:
        bundle["text/html"] = markup
    display(bundle, raw=True)
