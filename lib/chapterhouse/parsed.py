"""Python source that others wrote, as a tree: what cannot be parsed is always a SyntaxError.

`ast.parse` has more ways to refuse: a NUL is a ValueError before Python 3.11.4, and a text that is
nested too deeply ends as a RecursionError or a MemoryError, according to the version.
"""

from __future__ import annotations

import ast
import warnings


def parse(source: str) -> ast.Module:
    """The tree of a text; an odd escape in it is its author's business and warns of nothing.

    Raises:
        SyntaxError: the text is not Python, whatever this version of Python calls that. Its `msg`
            is one line; its `lineno` is None where no line can be named.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except ValueError as error:
            raise SyntaxError(str(error)) from None
        except (RecursionError, MemoryError):
            raise SyntaxError("it is nested too deeply") from None
