"""Files made from those of another source: the same content, however it is packed elsewhere.

Two packages can hold the same text in files that differ in every byte, because another version of
some program has packed it. The files in the cache are then the content itself, and each source
brings its own files along with a function that takes the content out of them.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sprat.datasets.cache import File
from sprat.datasets.sources import Arrivals, Source, SourceFailed
from sprat.errors import DataError


@dataclass(frozen=True)
class Converted:
    """Another source, and what to make of its files.

    What it brings is not verified before it is converted, so `convert` must stand any content. What
    it makes is verified, as is every file.

    Args:
        source: brings the raw files.
        raw: their names.
        convert: called with the contents of the raw files by name; returns those of the wanted
            files by name. A `DataError` says that the raw files are not what they should be.
    """

    source: Source
    raw: tuple[str, ...]
    convert: Callable[[Mapping[str, bytes]], Mapping[str, bytes]]

    def __str__(self) -> str:
        return str(self.source)

    def bring(self, wanted: Sequence[File], folder: Path) -> Arrivals:
        """As `Source.bring`; the raw files are held in memory."""
        asked = [File(name, 0, "") for name in self.raw]
        contents = {file.name: content.read() for file, content in self.source.bring(asked, folder)}
        if absent := [name for name in self.raw if name not in contents]:
            raise SourceFailed(f"it has no {', '.join(absent)}")
        try:
            made = self.convert(contents)
        except DataError as error:
            raise SourceFailed(error.found) from None
        for file in wanted:
            if file.name in made:
                yield file, io.BytesIO(made[file.name])
