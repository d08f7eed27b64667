"""Tables that pandas has pickled: what is read, and what is refused."""

import lzma
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sprat.datasets.frames import frame
from sprat.errors import DataError


@pytest.fixture(scope="module")
def pickled() -> bytes:
    """The penguins as their package has them (CC0)."""
    return lzma.decompress(Path(__file__).with_name("penguins.pkl.xz").read_bytes())


def test_columns_types_and_missing_values(pickled: bytes) -> None:
    table = frame(pickled)
    assert list(table) == [
        "rownames", "species", "island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm",
        "body_mass_g", "sex", "year",
    ]  # fmt: skip
    assert {len(column) for column in table.values()} == {344}
    assert table["species"][0] == "Adelie"
    assert np.unique(table["species"], return_counts=True)[1].tolist() == [152, 68, 124]
    assert table["year"].dtype == np.int64
    assert np.isnan(table["body_mass_g"]).sum() == 2
    assert float(np.nanmean(table["body_mass_g"])) == pytest.approx(4201.754, abs=1e-3)
    assert sum(value != value for value in table["sex"]) == 11


def test_nothing_else_may_be_called(tmp_path: Path) -> None:
    mark = tmp_path / "run"

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(mark),)

    with pytest.raises(DataError, match=r"posix\.mkdir|nt\.mkdir"):
        frame(pickle.dumps(Attack()))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["eval", "exec", "getattr", "__import__", "open"])
def test_builtins_are_refused(name: str) -> None:
    program = b"\x80\x02c__builtin__\n" + name.encode() + b"\n."
    with pytest.raises(DataError, match=name):
        frame(program)


def test_a_known_name_with_dots_leads_nowhere() -> None:
    with pytest.raises(DataError, match=r"ndarray\.tofile"):
        frame(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")


@pytest.mark.parametrize(
    "content", [b"", b"not a pickle", pickle.dumps([1, 2]), pickle.dumps({"_mgr": 1})]
)
def test_what_is_no_table_is_told(content: bytes) -> None:
    with pytest.raises(DataError, match="pickled table was expected"):
        frame(content)


def test_cut_pickles_are_told(pickled: bytes) -> None:
    for end in range(0, len(pickled) - 1, 1013):
        with pytest.raises(DataError):
            frame(pickled[:end])
