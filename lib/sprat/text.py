"""Texts: tokenisers, which are encodings from strings to the indices of a vocabulary's pieces.

Three of them, from small pieces to large: `Characters`, `BytePairs` and `Words`. Each is trained
here with `of(texts)`, on the training part alone; each is plain data that saves as JSON. Index 0
is padding, 1 and 2 mark the start and the end of a text, and 3 to 258 are the 256 bytes, with which
`Characters` and `BytePairs` spell what they have no piece for, so every text comes back exactly.
"""

import json
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sprat.blocks import Block, Text, Tokens
from sprat.encodings.base import Encoding
from sprat.errors import DataError, TaskError
from sprat.merges import BYTES, apply_merges, learn_merges
from sprat.ragged import Ragged
from sprat.shapes import Int

__all__ = ["BytePairs", "Characters", "Ragged", "Tokenizer", "Words", "load"]

PADDING, START, END = 0, 1, 2
MARKS = ("<padding>", "<start>", "<end>")
FIRST_BYTE = len(MARKS)
FORMAT = 1
# A word with the space before it, a sign, or a run of spaces: joined, they are the text again.
_WORD = re.compile(r" ?\w+| ?[^\w\s]|\s+")


class Tokenizer(Encoding):
    """Cuts texts into the pieces of a vocabulary, and puts them together again."""

    marked: bool

    @property
    @abstractmethod
    def pieces(self) -> tuple[str, ...]:
        """What each index stands for, as a person reads it."""

    @abstractmethod
    def split(self, text: str) -> list[int]:
        """The indices of a text's pieces, without marks."""

    @abstractmethod
    def join(self, indices: Sequence[int]) -> str:
        """The text of some pieces; marks and padding stand for nothing."""

    @property
    def size(self) -> int:
        """How many pieces there are, marks and padding among them."""
        return len(self.pieces)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} pieces{', marked' * self.marked})"

    def block(self, block: Block) -> Block | None:
        """`Text` becomes `Tokens`."""
        return Tokens(self.size, PADDING, self.pieces) if isinstance(block, Text) else None

    def ragged(self, texts: Sequence[str]) -> Ragged:
        """All texts as indices, without padding: what a data set of tokens keeps in memory."""
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise TaskError(
                f"{type(self).__name__} got {texts!r:.60}; a list of strings was expected.",
                fix="give a list, of one text too: [text]; and leave out what is missing",
            )
        marks = ([START], [END]) if self.marked else ([], [])
        return Ragged.of([marks[0] + self.split(text) + marks[1] for text in texts], PADDING)

    def encode(self, values: Sequence[str]) -> Int[Tensor, "batch longest"]:
        """A batch of texts as indices, filled up with padding to the longest. On the CPU.

        An empty text is padding alone, at least one piece of it.
        """
        tokens = self.ragged(values)
        if not len(tokens.values):
            return torch.full((len(tokens), 1), PADDING)
        return tokens.padded()

    def decode(self, values: Any) -> list[str]:
        """The texts: of each row what stands before the first end mark."""
        texts = []
        for row in values.tolist():
            before_end = row[: row.index(END)] if END in row else row
            texts.append(self.join([i for i in before_end if i >= FIRST_BYTE]))
        return texts

    def save(self, path: str | Path) -> Path:
        """Write the tokeniser as JSON, for `sprat.text.load`.

        Returns:
            The path.
        """
        target = Path(path)
        plain = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        config = {"format": FORMAT, "type": type(self).__name__, **plain}
        text = json.dumps(config, ensure_ascii=False)
        # Half a surrogate pair has no UTF-8 of its own, but may be among the pieces.
        target.write_bytes(text.encode("utf-8", "surrogatepass"))
        return target


@dataclass(frozen=True, repr=False)
class Characters(Tokenizer):
    """A piece for each character of an alphabet; others are spelled in bytes.

    Args:
        alphabet: the characters, in the order of their indices.
        marked: put a start and an end mark around every text.
    """

    alphabet: tuple[str, ...]
    marked: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphabet", tuple(self.alphabet))

    @classmethod
    def of(cls, texts: Iterable[str], *, marked: bool = False) -> "Characters":
        """With all characters of some texts, in Unicode's order."""
        return cls(tuple(sorted(set().union(*_strings(texts)))), marked)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Marks, bytes, and the alphabet."""
        return (*MARKS, *BYTES, *self.alphabet)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {character: FIRST_BYTE + 256 + i for i, character in enumerate(self.alphabet)}

    def split(self, text: str) -> list[int]:
        """An index a character, or one a byte where the alphabet lacks it."""
        known, indices = self._index, []
        for character in text:
            index = known.get(character)
            indices += _bytes_of(character) if index is None else [index]
        return indices

    def join(self, indices: Sequence[int]) -> str:
        """The characters; runs of bytes are read as UTF-8."""
        return _text(_spelled(i, self.alphabet) for i in indices)


@dataclass(frozen=True, repr=False)
class Words(Tokenizer):
    """A piece for each of the commonest words, with the space before it; others become one piece.

    So a text whose words are all known comes back exactly, and of others ``<unknown>`` remains.

    Args:
        vocabulary: words, signs and runs of spaces, in the order of their indices.
        marked: put a start and an end mark around every text.
    """

    vocabulary: tuple[str, ...]
    marked: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.vocabulary, str):
            raise TaskError(
                f"Words got the text {self.vocabulary!r:.40} as its vocabulary.",
                fix="learn the words of texts: Words.of([text])",
            )
        object.__setattr__(self, "vocabulary", tuple(self.vocabulary))

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        *,
        most: int = 30_000,
        at_least: int = 1,
        marked: bool = False,
    ) -> "Words":
        """With the commonest words of some texts, the commonest first.

        Args:
            texts: what to count in.
            most: words at most.
            at_least: leave out words that are there less often.
            marked: put a start and an end mark around every text.
        """
        counts = Counter(word for text in _strings(texts) for word in _WORD.findall(text))
        common = sorted(counts, key=lambda word: (-counts[word], word))[:most]
        return cls(tuple(word for word in common if counts[word] >= at_least), marked)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Marks, the unknown word, and the vocabulary."""
        return (*MARKS, "<unknown>", *self.vocabulary)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: FIRST_BYTE + 1 + i for i, word in enumerate(self.vocabulary)}

    def split(self, text: str) -> list[int]:
        """An index a word; that of the unknown word where it isn't in the vocabulary."""
        return [self._index.get(word, FIRST_BYTE) for word in _WORD.findall(text)]

    def join(self, indices: Sequence[int]) -> str:
        """The words, spaces and all."""
        return "".join(self.pieces[i] for i in indices)


@dataclass(frozen=True, repr=False)
class BytePairs(Tokenizer):
    """Pieces made by joining, again and again, the two neighbours that stand together most often.

    Byte-pair encoding, Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with
    Subword Units" (2016), https://arxiv.org/abs/1508.07909; over bytes, as in GPT-2, so that no
    text is unknown. No piece reaches across the border of a word.

    Args:
        merges: the two pieces that each further piece joins, by their indices, in order.
        marked: put a start and an end mark around every text.
    """

    merges: tuple[tuple[int, int], ...]
    marked: bool = False

    def __post_init__(self) -> None:
        merges = tuple((int(left), int(right)) for left, right in self.merges)
        for i, pair in enumerate(merges):
            if not all(FIRST_BYTE <= part < FIRST_BYTE + 256 + i for part in pair):
                raise TaskError(
                    f"Merge {i} of BytePairs joins {pair}, which are not both pieces before it.",
                    fix="make it with BytePairs.of(texts), or load the file that it saved",
                )
        object.__setattr__(self, "merges", merges)

    @classmethod
    def of(cls, texts: Iterable[str], *, size: int = 1000, marked: bool = False) -> "BytePairs":
        """With pieces learnt from some texts; the same texts always give the same pieces.

        Args:
            texts: what to learn from.
            size: pieces in all, of which 259 are marks and bytes. Fewer come where every word has
                become one piece before.
            marked: put a start and an end mark around every text.

        Raises:
            TaskError: `size` leaves no room for marks and bytes.
        """
        if size < FIRST_BYTE + 256:
            raise TaskError(
                f"BytePairs of {size} pieces has no room for 3 marks and 256 bytes.",
                fix="give a size above 259",
            )
        counts = Counter(word for text in _strings(texts) for word in _WORD.findall(text))
        words = {tuple(_bytes_of(word)): count for word, count in counts.items()}
        return cls(tuple(learn_merges(words, FIRST_BYTE + 256, size)), marked)

    @cached_property
    def _spellings(self) -> tuple[bytes, ...]:
        """The bytes of every piece from the first byte on."""
        spellings = [bytes([value]) for value in range(256)]
        for left, right in self.merges:
            spellings.append(spellings[left - FIRST_BYTE] + spellings[right - FIRST_BYTE])
        return tuple(spellings)

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Marks, bytes, and what was joined."""
        joined = (s.decode("utf-8", "replace") for s in self._spellings[256:])
        return (*MARKS, *BYTES, *joined)

    @cached_property
    def _ranks(self) -> dict[tuple[int, int], int]:
        return {pair: FIRST_BYTE + 256 + i for i, pair in enumerate(self.merges)}

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        """Words that were split before: texts repeat theirs."""
        return {}

    def split(self, text: str) -> list[int]:
        """Each word's bytes, joined in the order in which the merges were learnt."""
        indices: list[int] = []
        for word in _WORD.findall(text):
            if word not in self._known:
                self._known[word] = apply_merges(_bytes_of(word), self._ranks)
            indices += self._known[word]
        return indices

    def join(self, indices: Sequence[int]) -> str:
        """The bytes of all pieces, read as UTF-8."""
        return _text(self._spellings[i - FIRST_BYTE] for i in indices)


def load(path: str | Path) -> Tokenizer:
    """The tokeniser that `Tokenizer.save` wrote.

    Raises:
        DataError: the file is missing, damaged, or of a newer version.
    """
    kinds: dict[str, type[Tokenizer]] = {k.__name__: k for k in (Characters, Words, BytePairs)}
    try:
        config = json.loads(Path(path).read_bytes().decode("utf-8", "surrogatepass"))
        version, kind = config.pop("format"), kinds[config.pop("type")]
        if version == FORMAT:
            return kind(**{name: _tuples(value) for name, value in config.items()})
    except FileNotFoundError:
        raise DataError(f"{path} is missing.", fix="save one with tokenizer.save(path)") from None
    except (ValueError, TypeError, KeyError, AttributeError, TaskError) as error:
        raise DataError(
            f"{path} holds no tokeniser ({type(error).__name__}: {str(error)[:80]}).",
            fix="save it again with tokenizer.save(path)",
        ) from None
    raise DataError(
        f"{path} has format {version!r}; this version reads {FORMAT}.",
        fix="update sprat: pip install -U sprat",
    )


def _tuples(value: Any) -> Any:
    """JSON knows lists only; what a tokeniser holds never changes."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _strings(texts: Iterable[str]) -> list[str]:
    """A list of texts, and never one text taken for a list of its characters."""
    if isinstance(texts, str):
        texts = [texts]
    kept = list(texts)
    if not any(kept):
        raise DataError("There is no text to learn from.", fix="pass a list of strings")
    return kept


def _bytes_of(text: str) -> list[int]:
    # Half a surrogate pair is no character, but a Python string may hold it.
    return [FIRST_BYTE + value for value in text.encode("utf-8", "surrogatepass")]


def _spelled(index: int, alphabet: Sequence[str]) -> bytes:
    at = index - FIRST_BYTE
    return bytes([at]) if at < 256 else alphabet[at - 256].encode("utf-8", "surrogatepass")


def _text(spellings: Iterable[bytes]) -> str:
    """Bytes as text; what a model wrote need not be UTF-8."""
    together = b"".join(spellings)
    try:
        return together.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return together.decode("utf-8", "replace")
