"""What is known about a data set: its licence, its sources, its hash, and how it is read.

A `Dataset` names its files, where they may come from, in order, and a function that turns verified
bytes into inputs and targets. To add your own, make one and pass it to `sprat.datasets.register`.
Those that sprat knows stand in the files beside this one, by their kind.
"""

import hashlib
import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sprat.datasets.cache import File
from sprat.datasets.sources import Address, Source

Read = Callable[[str], bytearray]
Parse = Callable[[Read, str], tuple[Any, Any]]
Columns = dict[str, np.ndarray]


@dataclass(frozen=True, repr=False)
class Dataset:
    """What is known about a data set before it is fetched.

    Args:
        name: what `fetch` is called with.
        title: what people call it.
        about: one or two sentences: what is in it, and how the splits were made.
        input: the block type of an input, by name.
        target: the block type of a target, by name.
        classes: the names of the labels, by index; for numbers their names, with units.
        splits: split → number of samples.
        shape: of one input; empty where inputs differ in shape.
        licence: under which terms it may be used.
        citation: its key in ``book/references.bib``.
        home: where its makers describe it.
        files: what is kept in the cache.
        sources: where the files come from; the first that delivers is used.
        parse: called with a function from file name to verified content, and with the split;
            returns inputs (N, …) and targets (N, …) or None.
        blocks: called with the same function; returns the blocks of input and target, where they
            follow from the data, as the categories of a table's columns do.
        columns: called with the same function; returns a table's raw columns by name.
        folder: in the cache, where it is not the name: data sets of one package share one.
        together: files of other data sets that come in the same package, kept when it comes.
    """

    name: str
    title: str
    about: str
    input: str
    target: str
    classes: tuple[str, ...]
    splits: Mapping[str, int]
    shape: tuple[int, ...]
    licence: str
    citation: str
    home: str
    files: tuple[File, ...]
    sources: tuple[Source, ...]
    parse: Parse
    blocks: Callable[[Read], tuple[Any, Any]] | None = None
    columns: Callable[[Read], Columns] | None = None
    folder: str = ""
    together: tuple[File, ...] = ()

    @property
    def needs_network(self) -> bool:
        """Whether no package manager has it, only addresses on the web."""
        return all(isinstance(source, Address) for source in self.sources)

    @property
    def sha256(self) -> str:
        """One hash for all its files: of the lines ``sha256  name`` in order."""
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()

    def facts(self) -> dict[str, str]:
        """What a reader wants to know, as pairs of heading and text."""
        size = sum(file.size_bytes for file in self.files)
        shown = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
        return {
            "name": self.name,
            "about": self.about,
            "samples": ", ".join(f"{split} {count:,}" for split, count in self.splits.items()),
            "input": f"{self.input} {' × '.join(map(str, self.shape))}".strip(),
            "target": ": ".join(filter(None, [self.target, ", ".join(self.classes)])),
            "licence": self.licence,
            "home": self.home,
            "size": f"{shown} in the cache",
            "sources": "; ".join(map(str, self.sources)),
            "sha256": self.sha256,
        }

    def __repr__(self) -> str:
        width = max(map(len, self.facts()))
        lines = [f"{heading:<{width}}  {text}" for heading, text in self.facts().items()]
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{html.escape(heading)}</th>'
            f'<td style="text-align:left">{html.escape(text)}</td></tr>'
            for heading, text in self.facts().items()
        )
        return f"<table><caption>{html.escape(self.title)}</caption>{rows}</table>"
