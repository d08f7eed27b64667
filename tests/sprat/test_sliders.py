"""Figures with sliders: every state is drawn, none of them jumps, and mistakes are named."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import sprat as sp
from sprat.errors import DataError


def sheet(figure: object) -> np.ndarray:
    """The picture that holds all states, (height, width, 3)."""
    packed = re.search(r"base64,([^)]+)\)", figure._repr_html_())  # type: ignore[attr-defined]
    assert packed is not None
    content = io.BytesIO(base64.b64decode(packed[1]))
    return np.asarray(Image.open(content).convert("RGB"))


def line(ax, height=1.0, **_):
    ax.plot([0, 1], [0, height])
    ax.set(xlim=(0, 1), ylim=(0, 10), xlabel="x", title=f"{height:g}")


def frame(ax):
    """Where the axes stand, in shares of the figure."""
    return tuple(round(v, 6) for v in ax.get_position(original=True).bounds)


def test_every_state_has_its_place_in_the_sheet():
    heights = [1.0, 5.0, 9.0]
    figure = sp.scrub(line, height=heights, alt="a line", figsize=(2, 1.5), dpi=50)
    pixels = sheet(figure)
    assert pixels.shape == (75, 300, 3)
    states = np.split(pixels, 3, axis=1)
    assert not np.array_equal(states[0], states[1])
    assert not np.array_equal(states[1], states[2])


def test_two_sliders_make_rows_and_columns():
    figure = sp.scrub(line, run=["a", "b"], height=[1.0, 5.0, 9.0], alt="", figsize=(2, 1), dpi=50)
    pixels = sheet(figure)
    assert pixels.shape == (100, 300, 3)
    upper, lower = np.split(pixels, 2)
    assert np.array_equal(upper, lower)  # `run` changes nothing in this figure


def test_axes_stand_still_while_labels_grow():
    places = []

    def draw(ax, k):
        places.append(frame(ax))
        ax.set(yticks=[0], yticklabels=["w" * (1 + 8 * k)])

    sp.scrub(draw, k=[0, 1, 2], alt="", figsize=(4, 2), dpi=50)
    assert len(set(places[-3:])) == 1  # the first calls only find out how much room there is
    left = places[-1][0]
    assert left > 0.3  # room for the longest label


def test_equal_figures_are_equal_pages():
    make = lambda: sp.scrub(line, height=[1.0, 2.0], alt="a", figsize=(2, 1), dpi=50)  # noqa: E731
    assert make()._repr_html_() == make()._repr_html_()


@pytest.mark.parametrize(
    "sliders", [{}, {"k": []}, {"k": range(151)}, {"a": [1], "b": [1], "c": [1]}]
)
def test_too_many_or_no_states_are_refused(sliders):
    with pytest.raises(DataError, match="one or two sliders"):
        sp.scrub(lambda ax, **_: None, alt="", **sliders)
