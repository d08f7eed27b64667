"""A small table that reads well in a terminal, in a notebook and in a page of the book."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of text under headers.

    Args:
        headers: one a column.
        rows: each as long as `headers`.
        caption: a line above the table.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]] = field(default_factory=list)
    caption: str = ""

    def __str__(self) -> str:
        lines = [self.headers, *self.rows]
        widths = [max(len(str(line[i])) for line in lines) for i in range(len(self.headers))]
        right = [self._numeric(i) for i in range(len(self.headers))]
        text = [self.caption] if self.caption else []
        for number, line in enumerate(lines):
            cells = [
                str(cell).rjust(width) if align else str(cell).ljust(width)
                for cell, width, align in zip(line, widths, right, strict=True)
            ]
            text.append("  ".join(cells).rstrip())
            if number == 0:
                text.append("  ".join("─" * width for width in widths))
        return "\n".join(text)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        right = [self._numeric(i) for i in range(len(self.headers))]

        def cells(tag: str, line: Sequence[str]) -> str:
            style = ["right" if align else "left" for align in right]
            return "".join(
                f'<{tag} style="text-align:{side}">{html.escape(str(cell))}</{tag}>'
                for cell, side in zip(line, style, strict=True)
            )

        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        head = f"<thead><tr>{cells('th', self.headers)}</tr></thead>"
        return f'<table class="sprat-table">{caption}{head}<tbody>{body}</tbody></table>'

    def _numeric(self, column: int) -> bool:
        """Whether a column holds numbers only, and so is set to the right."""
        marks = str.maketrans("", "", ".,%-−+e ×")
        values = [str(row[column]).translate(marks) for row in self.rows]
        return bool(values) and all(value.isdigit() or not value for value in values)
