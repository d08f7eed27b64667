"""Display by the types of input, target and output; truth and prediction are always labelled."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

import sprat as sp
from sprat.errors import DispatchError, TaskError
from sprat.grid import FigureGrid, TextGrid, make_grid
from sprat.inference import results
from sprat.show import Dispatch


class Sound(sp.Block):
    """A block that sprat does not know."""

    def check(self, values: Any) -> None:
        assert values.ndim == 2

    def mock(self, count: int, *, generator: torch.Generator | None = None) -> torch.Tensor:
        return torch.randn(count, 5, generator=generator)


@dataclass(frozen=True)
class Photo(sp.Image):
    """A more special picture."""


@pytest.fixture
def dispatch() -> Dispatch:
    dispatch = Dispatch("demo", 2)
    dispatch.register(sp.Image, sp.Image)(lambda: "general")
    return dispatch


IMAGE, PHOTO = sp.Image(), Photo()


def test_the_most_specific_function_is_chosen(dispatch: Dispatch) -> None:
    dispatch.register(Photo, Photo)(lambda: "special")
    assert dispatch.choose(IMAGE, IMAGE)() == "general"
    assert dispatch.choose(PHOTO, IMAGE)() == "general"
    assert dispatch.choose(PHOTO, PHOTO)() == "special"


def test_none_stands_for_there_is_none(dispatch: Dispatch) -> None:
    dispatch.register(sp.Image, None)(lambda: "alone")
    assert dispatch.choose(PHOTO, None)() == "alone"
    with pytest.raises(DispatchError):
        dispatch.choose(None, IMAGE)


def test_ambiguity_names_both_and_the_exact_case(dispatch: Dispatch) -> None:
    dispatch.register(Photo, sp.Image)(lambda: "left")
    dispatch.register(sp.Image, Photo)(lambda: "right")
    with pytest.raises(DispatchError) as caught:
        dispatch.choose(PHOTO, PHOTO)
    message = str(caught.value)
    assert "ambiguous" in message
    assert "(Photo, Image)" in message
    assert "(Image, Photo)" in message
    assert "@demo.register(Photo, Photo)" in caught.value.fix
    dispatch.register(Photo, Photo)(lambda: "exact")
    assert dispatch.choose(PHOTO, PHOTO)() == "exact"


def test_what_nobody_can_show_says_how_to_register(dispatch: Dispatch) -> None:
    with pytest.raises(DispatchError, match=r"\(Sound, None\)") as caught:
        dispatch.choose(Sound(), None)
    assert "@demo.register(Sound, None)" in caught.value.fix


def test_the_number_of_blocks_is_checked(dispatch: Dispatch) -> None:
    with pytest.raises(DispatchError, match="looks at 2 blocks, 1 were given"):
        dispatch.register(sp.Image)


def test_text_says_which_is_truth(learn: sp.Learner, capsys: pytest.CaptureFixture[str]) -> None:
    learn.fit(6, lr=0.03)
    text = learn.show_results(6, backend="text")
    assert capsys.readouterr().out.strip() == text.strip()
    assert text.count("truth: ") == 6
    assert text.count("predicted: ") == 6
    _, y, y_hat = results(learn, 6)
    for truth, guess in zip(y, y_hat, strict=True):
        assert f"truth: {truth}" in text
        assert f"predicted: {guess.name} {guess.probability:.0%}" in text
    right = sum(truth == guess.name for truth, guess in zip(y, y_hat, strict=True))
    assert text.count("✓") == right
    assert text.count("✗") == 6 - right


def test_figures_say_which_is_truth(learn: sp.Learner) -> None:
    figure = learn.show_results(5, backend="matplotlib")
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert len(titles) == 5
    for title in titles:
        assert title.startswith("truth: ")
        assert "\npredicted: " in title


def test_batches_are_labelled_as_truth(learn: sp.Learner) -> None:
    text = learn.show_batch(3, backend="text")
    assert text.count("truth: ") == 3
    assert "predicted" not in text
    figure = learn.show_batch(3, backend="matplotlib")
    assert all(ax.get_title().startswith("truth: ") for ax in figure.axes[:3])


def test_a_learner_lays_its_samples_out_in_the_columns_asked_for(learn: sp.Learner) -> None:
    for show in (learn.show_batch, learn.show_results):
        figure = show(6, backend="matplotlib", columns=3)
        places = figure.axes[0].get_gridspec()
        assert (places.nrows, places.ncols) == (2, 3)


def test_regression_is_labelled_too() -> None:
    x = torch.randn(40, 2)
    data = sp.Data(x, x.sum(1, keepdim=True))
    task = sp.Task(sp.Continuous(2), sp.Continuous(1))
    learn = sp.Learner(task, (data, data), model=sp.models.MLP(2, 1), device="cpu")
    learn.fit(1)
    assert learn.history.last("mae") > 0
    text = learn.show_results(2, backend="text")
    assert text.count("truth: ") == text.count("predicted: ") == 2


def test_a_new_block_is_shown_in_five_lines() -> None:
    class Tone(sp.Block):
        def check(self, values: Any) -> None: ...
        def mock(self, count: int, *, generator: torch.Generator | None = None) -> torch.Tensor:
            return torch.randn(count, 4, generator=generator)

    @sp.show.results.register(Tone, sp.Label, sp.Label)
    def _(grid: sp.Grid, x: Any, y: Any, y_hat: Any) -> None:
        grid.text(f"{len(x)} beats", f"truth: {y}\npredicted: {y_hat}")

    task = sp.Task(Tone(), sp.Label(["low", "high"]))
    data = sp.Data(torch.randn(6, 4), torch.tensor([0, 1] * 3))
    learn = sp.Learner(task, (data, data), model=sp.models.MLP(4, 2), device="cpu")
    text = learn.show_results(2, backend="text")
    assert text.count("4 beats") == 2
    # For what nobody registered, the block shows itself: by default its numbers.
    first = data.x[0].tolist()
    text = learn.show_batch(2, backend="text")
    assert "truth: low" in text
    assert f"{first[0]:.3g}, {first[1]:.3g}" in text


def test_unknown_backend() -> None:
    with pytest.raises(DispatchError, match="no display backend 'svg'"):
        make_grid("svg")


def test_a_plain_module_has_nothing_to_show() -> None:
    learn = sp.Learner(
        torch.nn.Linear(2, 1), ([(torch.ones(3, 2), torch.ones(3, 1))],), device="cpu"
    )
    with pytest.raises(TaskError, match="made from a plain module"):
        learn.show_results()


@pytest.mark.parametrize("grid", [TextGrid(), FigureGrid()])
def test_pictures_that_cannot_be_drawn_are_named(grid: sp.Grid) -> None:
    with pytest.raises(DispatchError, match="7 channels; 1, 3 or 4"):
        grid.image(torch.zeros(7, 4, 4))


def test_text_pictures_keep_their_shape() -> None:
    grid = TextGrid(columns=2, width=10)
    bright = torch.zeros(1, 8, 8)
    bright[:, :, 4:] = 1
    for _ in range(3):
        grid.image(bright, "half")
    lines = grid.result().splitlines()
    assert lines[0].split() == ["half", "half"]
    assert lines[1] == "     @@@@@       @@@@@"
    assert sum(line.strip().startswith("@") for line in lines) == 10


def test_uint8_and_float_pictures_look_the_same() -> None:
    picture = torch.randint(0, 256, (3, 6, 6), dtype=torch.uint8)
    drawn = []
    for version in (picture, picture.float() / 255):
        grid = TextGrid()
        grid.image(version)
        drawn.append(grid.result())
    assert drawn[0] == drawn[1]


def test_figure_has_one_axes_a_place() -> None:
    grid = FigureGrid(columns=3)
    for i in range(4):
        grid.image(torch.rand(3, 5, 5), str(i))
    grid.text("words", "said")
    figure = grid.result()
    assert len(figure.axes) == 6
    assert [ax.get_title() for ax in figure.axes] == ["0", "1", "2", "3", "said", ""]
