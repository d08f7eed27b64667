"""What stands on a page where its run left nothing, when the site is built all the same.

A strict build refuses: it is the one to publish. Any other build leaves a whole site to read, with
a mark wherever something is missing, and tells what its author has to mend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chapterhouse.errors import ChapterhouseError

#: In place of a number, in HTML and where only markdown is understood.
NUMBER = '<span class="not-computed">not computed in this run</span>'
PLAIN_NUMBER = "*(not computed in this run)*"
#: In place of an exercise, and of a picture or a live figure.
EXERCISE = '<p class="not-computed">The exercise of this place is not as it should be.</p>'
FIGURE = '<p class="not-computed">This figure was not computed in this run.</p>'


@dataclass
class Gaps:
    """What is missing on the pages of one site.

    `broken` are the notebooks whose run is not as it should be: their pages say so at the top, so
    what they lack is no complaint of its own.
    """

    strict: bool = True
    broken: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def note(self, error: ChapterhouseError) -> None:
        """Remember what would have stopped a strict build.

        Raises:
            ChapterhouseError: this is one.
        """
        if self.strict:
            raise error
        self.complaints.append(error.found)

    def fill(self, error: ChapterhouseError, *, of: str, mark: str) -> str:
        """What stands where something of the notebook `of` is missing.

        Raises:
            ChapterhouseError: the build is strict.
        """
        if self.strict or of not in self.broken:
            self.note(error)
        return mark

    def number(self, mark: str) -> Callable[[ChapterhouseError, str], str]:
        """For `recorded.fill`: what stands in place of a number."""
        return lambda error, of: self.fill(error, of=of, mark=mark)
