"""Encodings: invertible steps from what a value is to what a network eats, and back.

An encoding says which block it takes, which block it gives, and how a batch goes there and comes
back. `Task` strings them together, so what a model puts out can always be shown in the terms in
which the data came. The idea is FastAI.jl's.

Those of texts are tokenisers and live in ``text.py``, those of tables in ``tabular.py``; their
names are found here too, and their files are imported when they are first asked for.
"""

from importlib import import_module
from typing import Any

from sprat.encodings.base import Encoding
from sprat.encodings.categories import OneHotEncode
from sprat.encodings.images import Normalize, ToFloat
from sprat.encodings.points import ScalePoints
from sprat.encodings.projective import Projective

_ELSEWHERE = {
    "BytePairs": "text",
    "Categorise": "tabular",
    "Characters": "text",
    "FillMissing": "tabular",
    "NormalizeTable": "tabular",
    "Words": "text",
}

__all__ = ["Encoding", "Normalize", "OneHotEncode", "Projective", "ScalePoints", "ToFloat"]


def __getattr__(name: str) -> Any:
    """Find the encodings that live elsewhere."""
    if name not in _ELSEWHERE:
        raise AttributeError(f"sprat.encodings has no {name!r}")
    return getattr(import_module(f"sprat.{_ELSEWHERE[name]}"), name)
