"""Showing batches and results by the types of input, target and output.

A display function fills one place of a grid with one sample. It is registered for the blocks that
it fits, ``None`` standing for "there is none", and the most specific one is chosen:

    @sprat.show.results.register(Image, None, Image)      # no target: input beside output
    def _(grid, x, y, x_hat):
        grid.pair(x, x_hat, titles=("in", "out"))

The values are decoded: pictures 0…1, labels by name, predictions as `Guess`. Whatever has both a
truth and a prediction says which is which.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sprat.blocks import Block, Continuous, Image, Keypoints, Label, Labels, Mask
from sprat.derive import Guess
from sprat.errors import DispatchError
from sprat.grid import Grid, make_grid
from sprat.inference import results as take_results
from sprat.loader import first_batch

if TYPE_CHECKING:
    from sprat.learner import Learner

Display = Callable[..., None]
Kind = type[Block] | None


class Dispatch:
    """Chooses a function by the types of several blocks.

    Args:
        name: what errors call it.
        arity: how many blocks it looks at.
    """

    def __init__(self, name: str, arity: int) -> None:
        self.name, self.arity = name, arity
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
            raise DispatchError(
                f"Nobody said how {self.name} shows {wanted}.",
                fix=f"register a function: @{self.name}.register{wanted}",
            )
        several = " and ".join(f"({', '.join(map(_name, k))})" for k in fitting)
        raise DispatchError(
            f"{self.name} of {wanted} is ambiguous: {several} fit equally well.",
            fix=f"register the exact case: @{self.name}.register{wanted}",
        )


batch = Dispatch("sprat.show.batch", 2)
results = Dispatch("sprat.show.results", 3)


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
    return _fill(make_grid(backend, columns), display, len(values[0]), *values)


def _fill(grid: Grid, display: Display, count: int, *columns: Any) -> Any:
    for i in range(count):
        display(grid, *(None if column is None else column[i] for column in columns))
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
