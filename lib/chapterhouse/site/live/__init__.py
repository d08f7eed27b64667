"""Live figures: what a run trained, at work in the reader's page, without a server.

A chapter's code leaves a network or a loss surface in its output (the record is described in
`records`), and its text says where the figure stands:

    ```{live} draw
    :model: clothes
    :alt: A sneaker, and what the network says to it.

    The caption.
    ```

The page shows the picture that the publishing cell drew, and a button. Only when it is pressed do
the scripts (``js/``, plain and small) and the weights load, as scripts, because a page opened from
a folder may load nothing else. Kinds: ``draw`` a picture for a classifier, ``walk`` over the two
numbers of a decoder, ``descend`` a loss surface.
"""

from __future__ import annotations

from chapterhouse.site.live.directive import FOLDER, Figure, expand, in_words
from chapterhouse.site.live.records import LIVE, Published

__all__ = ["FOLDER", "LIVE", "Figure", "Published", "expand", "in_words"]
