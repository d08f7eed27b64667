"""What the registry says about each data set."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sprat import datasets
from sprat.datasets import Dataset
from sprat.errors import DataError


def test_names() -> None:
    assert {"fashion_mnist", "mnist_5000"} <= set(datasets.names())
    assert datasets.names() == sorted(datasets.names())


@pytest.mark.parametrize("name", datasets.names())
def test_every_entry_is_complete(name: str) -> None:
    dataset = datasets.describe(name)
    assert dataset.name == name
    for text in (dataset.title, dataset.about, dataset.licence, dataset.citation):
        assert text.strip()
    references = Path(__file__).parents[3] / "book" / "references.bib"
    assert f"{{{dataset.citation}," in references.read_text()
    assert dataset.home.startswith("https://")
    assert dataset.sources
    for file in dataset.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size_bytes > 0


@pytest.mark.parametrize("name", datasets.names())
def test_description_says_what_matters(name: str) -> None:
    dataset = datasets.describe(name)
    for text in (dataset.licence, dataset.sha256, *dataset.classes):
        assert text in repr(dataset)
    markup = dataset._repr_html_()
    assert markup.startswith("<table>")
    assert 'scope="row"' in markup


def test_find_by_block_type() -> None:
    class Image:
        pass

    assert "fashion_mnist" in datasets.find(input="Image", target="Label")
    assert datasets.find(input=Image) == datasets.find(input="Image")
    assert datasets.find(input="Graph", target="Label") == []
    assert datasets.find() == datasets.names()


def test_names_are_given_once(tiny: Dataset) -> None:
    datasets.register(tiny)  # the same one again is fine: a notebook's cell may run twice
    with pytest.raises(DataError, match="already"):
        datasets.register(replace(tiny, title="Another"))


def test_a_block_that_is_none_is_not_searched_for() -> None:
    with pytest.raises(DataError, match=r"'Imagge'(.|\n)*Image, ImageTensor"):
        datasets.find(input="Imagge")
