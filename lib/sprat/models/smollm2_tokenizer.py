"""The tokenizer of SmolLM2: pairs of bytes that often stand together became tokens.

A text is cut into words, so that no token reaches across them; each word begins as its bytes; then
the pair that was learned first is merged, again and again, until none is left. Sennrich, Haddow and
Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016); on bytes: Radford et
al., "Language Models are Unsupervised Multitask Learners" (2019). Words are cut as by GPT-2, but
every digit stands alone.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sprat.errors import DataError

# What a text is cut into, in terms of the kinds of its characters: _ space, W other white space,
# L letter, N digit or other number, O anything else. One space may belong to the word behind it.
_WORD = re.compile(r"_?L+|N|_?O+|[_W]+(?![LO])|[_W]+")
_ENDING = re.compile(r"'(?:s|t|re|ve|m|ll|d)")

_CONTROL = (3, 4)  # token types in GGUF: control tokens, and those that users have added


class SmolLM2Tokenizer:
    """Text to token ids and back, with the vocabulary that a GGUF file brings.

    Args:
        tokens: every token by id, in the alphabet of `alphabet`.
        merges: pairs to merge, ``"left right"``, the first learned first.
        special: tokens that are looked for in the text as a whole and never merged, such as
            ``<|im_end|>``.

    Attributes:
        stop: the id of ``<|im_end|>``, which ends an answer; None in a vocabulary without it.

    Raises:
        DataError: the vocabulary lacks what a merge makes.
    """

    def __init__(
        self, tokens: Sequence[str], merges: Sequence[str], special: Sequence[str] = ()
    ) -> None:
        self.tokens = list(tokens)
        self.ids = {token: i for i, token in enumerate(tokens)}
        pairs = [tuple(merge.split(" ")) for merge in merges]
        self._rank = {pair: i for i, pair in enumerate(pairs)}
        self._letters = alphabet()
        self._bytes = {letter: byte for byte, letter in self._letters.items()}
        if lacks := [pair for pair in pairs if "".join(pair) not in self.ids]:
            raise DataError(
                f"The vocabulary lacks what {len(lacks)} of its merges make, the first {lacks[0]}.",
                fix="take tokens and merges from the same file",
            )
        self.special = frozenset(special)
        longest_first = sorted(self.special, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self.stop = self.ids.get("<|im_end|>")
        self._merged = lru_cache(maxsize=65_536)(self._merge)

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "SmolLM2Tokenizer":
        """The tokenizer that a GGUF file's metadata describes.

        Raises:
            DataError: the metadata has none, or one of another kind.
        """
        kind = (metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre"))
        if kind != ("gpt2", "smollm"):
            raise DataError(
                f"The file's tokenizer is of kind {kind}; ('gpt2', 'smollm') was expected.",
                fix="use the GGUF of a SmolLM2 model",
            )
        tokens = metadata["tokenizer.ggml.tokens"]
        types = metadata.get("tokenizer.ggml.token_type", [1] * len(tokens))
        special = [t for t, kind in zip(tokens, types, strict=True) if kind in _CONTROL]
        return cls(tokens, metadata["tokenizer.ggml.merges"], special)

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; special tokens in it are taken as such.

        Bytes that the vocabulary lacks are left out, as llama.cpp does. SmolLM2 lacks six control
        characters and the lead bytes of planes in which Unicode has no characters yet.
        """
        ids: list[int] = []
        at = 0
        for found in self._special.finditer(text):
            ids += self._plain(text[at : found.start()])
            ids.append(self.ids[found.group()])
            at = found.end()
        return ids + self._plain(text[at:])

    def decode(self, ids: Sequence[int], *, special: bool = True) -> str:
        """The text of token ids; bytes that are no UTF-8 become the replacement character.

        Args:
            ids: what `encode` or a model gave.
            special: write special tokens too.

        Raises:
            DataError: an id is outside the vocabulary.
        """
        if wrong := [i for i in ids if not 0 <= i < len(self.tokens)]:
            raise DataError(
                f"The ids {wrong[:5]} are outside the vocabulary of {len(self.tokens):,}.",
                fix="decode what this tokenizer or its model gave",
            )
        pieces = b""
        for token in (self.tokens[i] for i in ids):
            if token not in self.special:
                pieces += bytes(self._bytes[letter] for letter in token)
            elif special:
                pieces += token.encode()
        return pieces.decode(errors="replace")

    def chat(self, *messages: tuple[str, str]) -> str:
        """A conversation in the form that SmolLM2-Instruct was tuned on, open for the answer.

        Args:
            messages: ``("system" or "user" or "assistant", what was said)``, in order.
        """
        said = "".join(f"<|im_start|>{who}\n{what}<|im_end|>\n" for who, what in messages)
        return said + "<|im_start|>assistant\n"

    def _plain(self, text: str) -> list[int]:
        return [i for word in cut(text) for i in self._merged(word)]

    def _merge(self, word: str) -> tuple[int, ...]:
        parts = [self._letters[byte] for byte in word.encode()]
        while len(parts) > 1:
            rank, first = min(
                (self._rank.get(pair, len(self._rank)), i) for i, pair in enumerate(pairwise(parts))
            )
            if rank == len(self._rank):
                break
            parts[first : first + 2] = [parts[first] + parts[first + 1]]
        return tuple(self.ids[part] for part in parts if part in self.ids)


def cut(text: str) -> list[str]:
    """The words of a text, none of which a token reaches across; together they are the text."""
    kinds = "".join(map(_kind, text))
    words, at = [], 0
    while at < len(text):
        found = _ENDING.match(text, at) or _WORD.match(kinds, at)
        assert found is not None  # every kind stands in the pattern
        words.append(text[at : found.end()])
        at = found.end()
    return words


def _kind(character: str) -> str:
    if character == " ":
        return "_"
    if character.isspace() and character not in "\x1c\x1d\x1e\x1f":  # Python's own four
        return "W"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "O"


@lru_cache(maxsize=1)
def alphabet() -> dict[int, str]:
    """A visible letter for each of the 256 bytes: its own if it has one, else one from 256 on."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {b: chr(b) for b in own} | {b: chr(256 + i) for i, b in enumerate(others)}
