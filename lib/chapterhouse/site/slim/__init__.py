"""Pages made light: what the theme brings and no page uses is left out of the published site.

The theme's styles, icons and scripts weigh far more than a chapter's text, and a browser draws
nothing before it has read them. Here one style sheet is made of all, without the rules that no page
can match; the fonts keep the characters that are shown; scripts come in one file that waits until
the page stands; pictures are stored small and load when they are near.
"""

from __future__ import annotations

from chapterhouse.site.slim.site import slim

__all__ = ["slim"]
