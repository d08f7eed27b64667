"""Tokenisers: exact round trips, determinism, saving, and byte pairs against a plain reference."""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sprat as sp
from sprat.errors import DataError, TaskError
from sprat.merges import learn_merges
from sprat.text import END, FIRST_BYTE, PADDING, START, BytePairs, Characters, Ragged, Words

CORPUS = [
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife.",
    "However little known the feelings or views of such a man may be on his first entering a "
    "neighbourhood, this truth is so well fixed in the minds of the surrounding families, that he "
    "is considered as the rightful property of some one or other of their daughters.",
]
TOKENIZERS = {
    "characters": Characters.of(CORPUS),
    "byte pairs": BytePairs.of(CORPUS, size=300),
    "byte pairs, marked": BytePairs.of(CORPUS, size=280, marked=True),
    "characters, marked": Characters.of(CORPUS, marked=True),
}
any_text = st.text(st.characters(), min_size=1)  # surrogates and control characters among them


@pytest.mark.parametrize("name", TOKENIZERS)
@given(texts=st.lists(any_text, min_size=1, max_size=4))
def test_any_text_comes_back_exactly(name: str, texts: list[str]) -> None:
    tokenizer = TOKENIZERS[name]
    encoded = tokenizer.encode(texts)
    assert encoded.dtype == torch.int64
    assert 0 <= int(encoded.min()) <= int(encoded.max()) < tokenizer.size
    assert tokenizer.decode(encoded) == texts


def test_words_come_back_where_they_are_known() -> None:
    tokenizer = Words.of(CORPUS)
    assert tokenizer.decode(tokenizer.encode(CORPUS)) == CORPUS
    assert tokenizer.decode(tokenizer.encode(["a truth\n about fish"])) == [
        "<unknown> truth<unknown><unknown><unknown>"
    ]
    rare = Words.of(CORPUS, most=5)
    assert rare.size == 3 + 1 + 5
    counts = Counter(word.strip() for text in CORPUS for word in text.split())
    assert " of" in rare.vocabulary
    assert counts["of"] >= 5
    assert len(Words.of(CORPUS, at_least=3).vocabulary) < len(tokenizer.vocabulary)


def test_short_texts_are_filled_with_padding_and_marks_stand_around() -> None:
    tokenizer = Characters.of(["abc"], marked=True)
    encoded = tokenizer.encode(["abc", "b"])
    a = FIRST_BYTE + 256
    assert encoded.tolist() == [
        [START, a, a + 1, a + 2, END],
        [START, a + 1, END, PADDING, PADDING],
    ]
    # What a model writes after the end is no longer part of the text.
    assert tokenizer.decode(torch.tensor([[a, END, a + 1, a + 2]])) == ["a"]


def test_what_is_no_utf_8_is_still_a_text() -> None:
    lone = torch.tensor([[FIRST_BYTE + 0xFF, FIRST_BYTE + ord("x")]])
    assert TOKENIZERS["byte pairs"].decode(lone) == ["\ufffdx"]


def reference_merges(texts: list[str], size: int) -> list[bytes]:
    """Byte-pair encoding as the paper has it: count everything anew for every merge."""
    words = Counter(
        tuple(bytes([b]) for b in word.encode())
        for text in texts
        for word in re.findall(r" ?\w+| ?[^\w\s]|\s+", text)
    )
    made: list[bytes] = []
    number = {bytes([b]): b for b in range(256)}
    while len(made) < size:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        best = min(pairs, key=lambda p: (-pairs[p], number[p[0]], number[p[1]]))
        if pairs[best] < 2:
            break
        together = best[0] + best[1]
        number.setdefault(together, 256 + len(made))
        made.append(together)
        rewritten: Counter[tuple[bytes, ...]] = Counter()
        for word, count in words.items():
            i, joined = 0, []
            while i < len(word):
                two = word[i : i + 2] == best
                joined.append(together if two else word[i])
                i += 2 if two else 1
            rewritten[tuple(joined)] += count
        words = rewritten
    return made


def test_byte_pairs_are_those_of_the_plain_algorithm() -> None:
    tokenizer = BytePairs.of(CORPUS, size=259 + 60)
    assert list(tokenizer._spellings[256:]) == reference_merges(CORPUS, 60)


def test_byte_pairs_of_a_known_example() -> None:
    # The example of the paper's algorithm 1: low ×5, lower ×2, newest ×6, widest ×3.
    words = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    letters = sorted(set("".join(words)))
    spelled = {tuple(letters.index(c) for c in word): n for word, n in words.items()}
    merges = learn_merges(spelled, len(letters), len(letters) + 4)
    pieces = list(letters)
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    assert set(pieces[len(letters) :]) == {"es", "est", "lo", "low"}


def test_byte_pairs_stop_where_nothing_stands_twice() -> None:
    tokenizer = BytePairs.of(["ab ab"], size=1000)
    assert tokenizer.pieces[259:] == ("ab",)
    assert tokenizer.decode(tokenizer.encode(["ab ab"])) == ["ab ab"]


def test_training_is_deterministic_and_pieces_shorten_texts() -> None:
    assert BytePairs.of(CORPUS, size=300) == BytePairs.of(list(reversed(CORPUS)), size=300)
    few, many = BytePairs.of(CORPUS, size=270), BytePairs.of(CORPUS, size=320)
    assert many.merges[: len(few.merges)] == few.merges
    assert len(many.split(CORPUS[0])) < len(few.split(CORPUS[0])) < len(CORPUS[0])


@pytest.mark.parametrize("tokenizer", [*TOKENIZERS.values(), Words.of(CORPUS)], ids=repr)
def test_saved_tokenisers_load_equal(tokenizer: sp.text.Tokenizer, tmp_path: Path) -> None:
    path = tokenizer.save(tmp_path / "tokenizer.json")
    loaded = sp.text.load(path)
    assert loaded == tokenizer
    assert torch.equal(loaded.encode(CORPUS), tokenizer.encode(CORPUS))
    assert json.loads(path.read_text(encoding="utf-8"))["type"] == type(tokenizer).__name__


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "holds no tokeniser"),
        ('{"format": 1, "type": "Learner"}', "holds no tokeniser"),
        ('{"format": 1, "type": "BytePairs", "merges": [[9999, 3]]}', "holds no tokeniser"),
        ('{"format": 2, "type": "Words", "vocabulary": []}', "format 2; this version reads 1"),
        ("[]", "holds no tokeniser"),
        (None, "is missing"),
    ],
)
def test_files_that_hold_no_tokeniser(content: str | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=says) as caught:
        sp.text.load(path)
    assert caught.value.fix


def test_mistakes_are_named_with_their_fix() -> None:
    with pytest.raises(TaskError, match="no room for 3 marks"):
        BytePairs.of(CORPUS, size=100)
    with pytest.raises(DataError, match="no text to learn from"):
        Words.of([])


def test_a_tokeniser_is_an_encoding_that_exports_as_plain_data() -> None:
    tokenizer = TOKENIZERS["byte pairs"]
    block = tokenizer.block(sp.Text())
    assert isinstance(block, sp.Tokens)
    assert (block.size, block.padding) == (300, 0)
    assert tokenizer.block(sp.Continuous(1)) is None
    assert sp.encodings.BytePairs is BytePairs
    assert repr(tokenizer) == "BytePairs(300 pieces)"


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=8), st.data())
def test_ragged_rows_are_indexed_and_filled_up(rows: list[list[int]], data: st.DataObject) -> None:
    ragged = Ragged.of(rows, padding=0)
    assert len(ragged) == len(rows)
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=10))
    taken = ragged[torch.tensor(index)]
    width = max(len(rows[i]) for i in index)
    assert taken.padded().tolist() == [rows[i] + [0] * (width - len(rows[i])) for i in index]
    assert ragged[index[0]].values.tolist() == rows[index[0]]
    assert ragged[1:].lengths.tolist() == [len(row) for row in rows[1:]]
    with pytest.raises(IndexError):
        ragged[len(rows)]


def test_ragged_tokens_train(capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = Characters.of(["abc"])
    texts = ["a" * (1 + i % 7) if i % 2 else "b" * (1 + i % 5) for i in range(40)]
    data = sp.Data(tokenizer.ragged(texts), torch.arange(40) % 2)
    task = sp.Task(sp.Tokens(tokenizer.size, 0, tokenizer.pieces), sp.Label(["b", "a"]))
    model = torch.nn.Sequential(
        torch.nn.EmbeddingBag(tokenizer.size, 4, padding_idx=0), torch.nn.Linear(4, 2)
    )
    parts = data.split(8, generator=torch.Generator().manual_seed(0))
    learn = sp.Learner(task, parts, model=model, device="cpu", progress=False)
    learn.fit(15, lr=0.1)
    assert learn.evaluate()["accuracy"] == 1
    assert "a a" in learn.show_batch(8, backend="text")


@pytest.mark.parametrize("kind", [Words, Characters, BytePairs])
def test_odd_characters_come_back_and_are_saved(kind: Any, tmp_path: Path) -> None:
    odd = [
        "\ud800 half",
        "\x00",
        "e\u0301 \u00e9",
        "\U0001f469\u200d\U0001f467",
        "\u05e9",
        "a\u00a0b",
    ]
    tokenizer = kind.of(odd)
    again = sp.text.load(tokenizer.save(tmp_path / "tokens.json"))
    assert again == tokenizer
    assert again.decode(again.encode(odd)) == odd


def test_one_string_is_no_list_of_its_characters() -> None:
    with pytest.raises(TaskError, match="'one string'; a list of strings was expected") as caught:
        Words.of(["a"]).encode("one string")
    assert "[text]" in str(caught.value)


def test_an_empty_text_is_padding_alone_and_in_company() -> None:
    texts = ["a b c", "b c a a", "c", "a"] * 10
    steps = Words.of(texts)
    assert steps.encode([""]).tolist() == [[PADDING]]
    assert steps.encode(["", "a"]).tolist()[0] == [PADDING]
    task = sp.Task(sp.Text(), sp.Label(["x", "y"]), encodings=[steps])

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = torch.nn.EmbeddingBag(steps.size, 4, padding_idx=PADDING)
            self.out = torch.nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.bag(x))

    data = sp.Data(texts, torch.arange(40) % 2)
    learn = sp.Learner(task, data, model=Net(), device="cpu", progress=False)
    (alone,), company = learn.predict([""]), learn.predict(["", "a b c"])
    assert alone.probability == pytest.approx(company[0].probability)
