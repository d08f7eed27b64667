"""Pages made from runs alone: ``{claims-page}`` and ``{timing-page}`` in any page of a course.

The directives stand in a page of the author's, which says the words around them. What they become
is plain markdown and HTML, made when the page is staged.
"""

from __future__ import annotations

from collections.abc import Iterable

from chapterhouse.course import Course
from chapterhouse.site.executed import Executed
from chapterhouse.site.measured.claims import claims_page, mark_claims
from chapterhouse.site.measured.timing import timing_page

__all__ = ["DIRECTIVES", "expand", "mark_claims"]

DIRECTIVES = {"claims-page": claims_page, "timing-page": timing_page}


def expand(name: str, course: Course, runs: Iterable[Executed], *, page: str) -> str | None:
    """What a directive becomes, or None if it is none of ours.

    Args:
        name: of the directive.
        course: whose runs are remembered.
        runs: the executed notebooks, in the order of the contents.
        page: the page that the directive stands on, such as ``book/claims``.
    """
    make = DIRECTIVES.get(name)
    return None if make is None else make(course, list(runs), page=page)
