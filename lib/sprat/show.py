"""Showing batches and results by the types of input, target and output.

A display function fills one place of a grid with one sample. It is registered for the blocks that
it fits, ``None`` standing for "there is none", and the most specific one is chosen:

    @sprat.show.results.register(Image, None, Image)      # no target: input beside output
    def _(grid, x, y, x_hat):
        grid.pair(x, x_hat, titles=("in", "out"))

Where nothing is registered, every block shows itself (`Block.show`) with truth and prediction in
words (`Block.words`) above it. The values are decoded: pictures 0…1, labels by name, predictions as
`Guess`. Whatever has both a truth and a prediction says which is which.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sprat.blocks import Block, Continuous, Image, Keypoints, Label, Labels, Mask, Trajectory
from sprat.data import count as how_many
from sprat.data import sample
from sprat.derive import Guess
from sprat.errors import DispatchError
from sprat.grid import Grid, make_grid
from sprat.inference import results as take_results
from sprat.loader import first_batch

if TYPE_CHECKING:
    from sprat.learner import Learner

Display = Callable[..., None]
Kind = type[Block] | None
Fallback = Callable[..., Display | None]


class Dispatch:
    """Chooses a function by the types of several blocks.

    Args:
        name: what errors call it.
        arity: how many blocks it looks at.
        fallback: makes a function from the blocks where none is registered, or gives None.
    """

    def __init__(self, name: str, arity: int, fallback: Fallback | None = None) -> None:
        self.name, self.arity, self.fallback = name, arity, fallback
        self._table: dict[tuple[Kind, ...], Display] = {}

    def register(self, *kinds: Kind) -> Callable[[Display], Display]:
        """Use the decorated function for these blocks and what derives from them.

        Raises:
            DispatchError: the number of blocks is wrong.
        """
        if len(kinds) != self.arity:
            raise DispatchError(
                f"{self.name} looks at {self.arity} blocks, {len(kinds)} were given.",
                fix=f"register {self.arity}, with None for what there is none of",
            )

        def keep(function: Display) -> Display:
            self._table[kinds] = function
            return function

        return keep

    def choose(self, *blocks: Block | None) -> Display:
        """The function for these blocks.

        Raises:
            DispatchError: there is none, or several fit equally well.
        """
        kinds = tuple(None if block is None else type(block) for block in blocks)
        fitting = {k: f for k, f in self._table.items() if all(map(_fits, kinds, k))}
        best = [k for k in fitting if all(all(map(_fits, k, other)) for other in fitting)]
        if len(best) == 1:
            return fitting[best[0]]
        wanted = f"({', '.join(map(_name, kinds))})"
        if not fitting:
            plain = self.fallback(*blocks) if self.fallback else None
            if plain is not None:
                return plain
            raise DispatchError(
                f"Nobody said how {self.name} shows {wanted}.",
                fix=f"register a function: @{self.name}.register{wanted}",
            )
        several = " and ".join(f"({', '.join(map(_name, k))})" for k in fitting)
        raise DispatchError(
            f"{self.name} of {wanted} is ambiguous: {several} fit equally well.",
            fix=f"register the exact case: @{self.name}.register{wanted}",
        )


def _batch_in_words(x_is: Block | None, y_is: Block | None) -> Display | None:
    """The input as it shows itself, the target in words above it."""
    if x_is is None:
        return None

    def display(grid: Grid, x: Any, y: Any) -> None:
        x_is.show(grid, x, "" if y_is is None else f"truth: {y_is.words(y)}")

    return display


def _results_in_words(
    x_is: Block | None, y_is: Block | None, output_is: Block | None
) -> Display | None:
    """The input as it shows itself, truth and prediction in words above it.

    Trajectories do not fit into words: truth and prediction are curves in one place.
    """
    if x_is is None or output_is is None:
        return None
    if isinstance(output_is, Trajectory):
        return partial(_curves, x_is, output_is)

    def display(grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
        truth = "" if y_is is None else f"truth: {y_is.words(y)}\n"
        x_is.show(grid, x, f"{truth}predicted: {output_is.words(y_hat)}")

    return display


def _curves(x_is: Block, output_is: Trajectory, grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
    x_is.show(grid, x, "in")
    both = {"predicted": y_hat} if y is None else {"truth": y, "predicted": y_hat}
    grid.curves(both, output_is.dt)


batch = Dispatch("sprat.show.batch", 2, _batch_in_words)
results = Dispatch("sprat.show.results", 3, _results_in_words)


@batch.register(Image, Label)
def _(grid: Grid, x: Any, y: Any) -> None:
    grid.image(x, f"truth: {y}")


@batch.register(Image, None)
def _(grid: Grid, x: Any, y: None) -> None:
    grid.image(x)


@batch.register(Image, Continuous)
def _(grid: Grid, x: Any, y: Any) -> None:
    grid.image(x, f"truth: {_numbers(y)}")


@batch.register(Image, Labels)
def _(grid: Grid, x: Any, y: Any) -> None:
    grid.image(x, f"truth: {_listed(y)}")


@batch.register(Image, Mask)
def _(grid: Grid, x: Any, y: Any) -> None:
    grid.mask(x, y, "truth")


@batch.register(Image, Keypoints)
def _(grid: Grid, x: Any, y: Any) -> None:
    grid.points(x, {"truth": y})


@batch.register(Continuous, Continuous)
@batch.register(Continuous, Label)
def _(grid: Grid, x: Any, y: Any) -> None:
    grid.text(_numbers(x), f"truth: {y if isinstance(y, str) else _numbers(y)}")


@results.register(Image, Label, Label)
def _(grid: Grid, x: Any, y: Any, y_hat: Guess) -> None:
    mark = "✓" if y == y_hat.name else "✗"
    grid.image(x, f"truth: {y}\npredicted: {y_hat.name} {y_hat.probability:.0%} {mark}")


@results.register(Image, Continuous, Continuous)
def _(grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
    grid.image(x, f"truth: {_numbers(y)}\npredicted: {_numbers(y_hat)}")


@results.register(Image, Labels, Labels)
def _(grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
    grid.image(x, f"truth: {_listed(y)}\npredicted: {_listed(y_hat)}")


@results.register(Image, Mask, Mask)
def _(grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
    grid.mask(x, y, "truth")
    grid.mask(x, y_hat, "predicted")


@results.register(Image, Keypoints, Keypoints)
def _(grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
    grid.points(x, {"truth": y, "predicted": y_hat})


@results.register(Continuous, Continuous, Continuous)
@results.register(Continuous, Label, Label)
def _(grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
    both = [v if isinstance(v, (str, Guess)) else _numbers(v) for v in (y, y_hat)]
    grid.text(_numbers(x), f"truth: {both[0]}\npredicted: {both[1]}")


@results.register(Image, None, Image)
def _(grid: Grid, x: Any, y: None, x_hat: Any) -> None:
    grid.pair(x, x_hat, titles=("in", "out"))


@results.register(Image, Image, Image)
def _(grid: Grid, x: Any, y: Any, y_hat: Any) -> None:
    grid.image(x, "in")
    grid.pair(y, y_hat, titles=("truth", "predicted"))


def show_batch(learn: "Learner", count: int = 8, *, backend: str = "auto", columns: int = 4) -> Any:
    """Show the first inputs of the training data beside their targets.

    Args:
        learn: a learner that was made from a task.
        count: samples at most.
        backend: ``"matplotlib"``, ``"text"``, or ``"auto"``.
        columns: places a row.

    Returns:
        The figure, or the text, which is also printed.
    """
    task = learn.require_task()
    raw = first_batch(learn.loader("train"), count)
    display = batch.choose(task.input, task.target)
    encoded = learn.encode(raw)
    xs = task.decode_input(encoded.x)
    ys = None if encoded.y is None else task.decode_target(encoded.y)
    return _fill(make_grid(backend, columns), display, len(raw), xs, ys)


def show_results(
    learn: "Learner", count: int = 8, *, backend: str = "auto", columns: int = 4
) -> Any:
    """Show inputs of the validation data with truth and prediction, each labelled.

    Args:
        learn: a learner that was made from a task.
        count: samples at most.
        backend: ``"matplotlib"``, ``"text"``, or ``"auto"``.
        columns: places a row.

    Returns:
        The figure, or the text, which is also printed.
    """
    task = learn.require_task()
    display = results.choose(task.input, task.target, task.output)
    values = take_results(learn, count)
    return _fill(make_grid(backend, columns), display, how_many(values[0]), *values)


def _fill(grid: Grid, display: Display, count: int, *columns: Any) -> Any:
    for i in range(count):
        display(grid, *(None if column is None else sample(column, i) for column in columns))
    drawn = grid.result()
    if isinstance(drawn, str):
        print(drawn)
    return drawn


def _fits(kind: Kind, registered: Kind) -> bool:
    if kind is None or registered is None:
        return kind is registered
    return issubclass(kind, registered)


def _name(kind: Kind) -> str:
    return "None" if kind is None else kind.__name__


def _listed(values: Any) -> str:
    return ", ".join(map(str, values)) or "none"


def _numbers(values: Any) -> str:
    return ", ".join(f"{v:.3g}" for v in values.flatten().tolist())
