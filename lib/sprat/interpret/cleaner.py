"""The cleaner: labels that are probably wrong, as a plain list that can be applied to the data.

    found = sp.interpret.suspects(learn, data, probabilities=sp.interpret.out_of_fold(make, data))
    found.show(data)          # look at them
    clean = found.drop(data)  # or found.relabel(data), or found[:20].drop(data)

Nothing is changed behind your back: `drop` and `relabel` return new data.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

import torch
from torch import Tensor

from sprat.blocks import Label
from sprat.data import Data
from sprat.errors import DataError
from sprat.interpret.noise import confident_joint
from sprat.interpret.noise import probabilities as probabilities_of
from sprat.interpret.passes import data_of, goal_of, need_targets
from sprat.shapes import Float, Int
from sprat.tables import Table

if TYPE_CHECKING:
    from sprat.learner import Learner


@dataclass(frozen=True)
class Suspect:
    """A sample whose label is probably wrong.

    Args:
        index: where it stands in the data.
        given: the label that it has.
        suggested: the label that the model is confident of.
        probability: of the suggested label, 0…1.
        given_probability: of the given label, 0…1; the lower, the more suspicious.
        loss: the cross-entropy of the given label.
    """

    index: int
    given: str
    suggested: str
    probability: float
    given_probability: float
    loss: float


@dataclass(frozen=True, repr=False)
class Suspects:
    """Suspicious labels, the most suspicious first. Slices and filters of it are of the same kind.

    Args:
        rows: the suspects.
        classes: names of all labels.
        joint: the confident joint, (classes, classes), given label in rows.
        size: samples in the data that was judged.
    """

    rows: tuple[Suspect, ...]
    classes: tuple[str, ...]
    joint: Int[Tensor, "given confident"]
    size: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Suspect]:
        return iter(self.rows)

    @overload
    def __getitem__(self, index: int) -> Suspect: ...
    @overload
    def __getitem__(self, index: slice) -> "Suspects": ...
    def __getitem__(self, index: int | slice) -> Any:
        """One suspect, or fewer of them."""
        if isinstance(index, slice):
            return replace(self, rows=self.rows[index])
        return self.rows[index]

    def filter(self, keep: Callable[[Suspect], bool]) -> "Suspects":
        """Those for which `keep` is true: your own judgement, after looking."""
        return replace(self, rows=tuple(row for row in self.rows if keep(row)))

    def only(self, indices: Iterable[int]) -> "Suspects":
        """Those that stand at these places of the data.

        Raises:
            DataError: one of the places holds no suspect.
        """
        wanted = set(indices)
        if stray := wanted - set(self.indices):
            raise DataError(
                f"Sample {min(stray)} is no suspect.", fix="choose among suspects.indices"
            )
        return self.filter(lambda row: row.index in wanted)

    @property
    def indices(self) -> list[int]:
        """Where the suspects stand in the data."""
        return [row.index for row in self.rows]

    @property
    def noise_share(self) -> float:
        """The share of labels that is wrong, as the confident joint has it, 0…1."""
        calibrated = self.joint / self.joint.sum(1, keepdim=True).clamp(min=1)
        weights = self.joint.sum(1) / self.joint.sum().clamp(min=1)
        return float(1 - (calibrated.diagonal() * weights).sum())

    def drop(self, data: Data) -> Data:
        """The data without the suspects.

        Raises:
            DataError: this is not the data that was judged, or nothing would be left.
        """
        self._check(data)
        keep = torch.ones(len(data), dtype=torch.bool)
        keep[torch.tensor(self.indices, dtype=torch.int64)] = False
        if not bool(keep.any()):
            raise DataError("Nothing would be left.", fix="drop fewer: suspects[:20].drop(data)")
        return data[keep]

    def relabel(self, data: Data) -> Data:
        """The data with each suspect's label replaced by the suggested one.

        Raises:
            DataError: this is not the data that was judged, or its labels are no tensor.
        """
        self._check(data)
        if not isinstance(data.y, Tensor):
            raise DataError("The labels are no tensor.", fix="make the data with a tensor y")
        number = {name: i for i, name in enumerate(self.classes)}
        y = data.y.clone()
        for row in self.rows:
            y[row.index] = number[row.suggested]
        return Data(data.x, y, classes=data.classes, name=data.name)

    def _check(self, data: Data) -> None:
        if len(data) != self.size:
            raise DataError(
                f"The data has {len(data)} samples; {self.size} were judged.",
                fix="apply the list to the data that suspects(learn, data) was given",
            )

    def table(self) -> Table:
        """A row a suspect."""
        rows = [
            (
                f"{row.index}",
                row.given,
                f"{row.given_probability:.1%}",
                row.suggested,
                f"{row.probability:.1%}",
                f"{row.loss:.3f}",
            )
            for row in self.rows
        ]
        heads = ("sample", "given label", "its probability", "suggested", "its probability", "loss")
        caption = f"{len(self.rows)} suspicious labels among {self.size} samples"
        return Table(heads, rows, caption)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def show(self, data: Data, count: int = 12, *, backend: str = "auto", columns: int = 4) -> Any:
        """Show the first suspects: pictures with both labels; a table for any other input.

        Args:
            data: what was judged.
            count: suspects at most.
            backend: ``"matplotlib"``, ``"text"``, or ``"auto"``.
            columns: places a row.

        Returns:
            The figure, or the text, which is also printed; the table where inputs are no pictures.

        Raises:
            DataError: this is not the data that was judged, or there is no suspect.
        """
        from sprat.grid import make_grid

        self._check(data)
        chosen = self[:count]
        if not len(chosen):
            raise DataError("There is no suspect to show.", fix="nothing to mend: go on")
        if not (isinstance(data.x, Tensor) and data.x.ndim == 4):
            return chosen.table()
        grid = make_grid(backend, columns)
        for row in chosen:
            title = f"sample {row.index}\ngiven: {row.given}\nsuggested: {row.suggested}"
            grid.image(data.x[row.index], title)
        drawn = grid.result()
        if isinstance(drawn, str):
            print(drawn)
        return drawn


def suspects(
    learn: "Learner",
    data: Any = None,
    *,
    probabilities: Float[Tensor, "samples classes"] | None = None,
) -> Suspects:
    """Labels that are probably wrong, by confident learning, the least likely label first.

    Args:
        learn: a learner whose target is `Label`.
        data: a `Data` or a loader; by default the validation part, which it has not learnt.
        probabilities: (N, classes) from models that have not seen the samples, as `out_of_fold`
            gives them; by default this learner's own. A model remembers what it was trained on,
            so on its training data its own find less.

    Raises:
        TaskError: the target is no `Label`.
        DataError: the data has no targets, or `probabilities` has another shape.
    """
    instead = "use sprat.interpret.top_losses(learn), which works for any target"
    goal = goal_of(learn, "A search for wrong labels", Label, instead=instead)
    assert isinstance(goal, Label)
    samples = data_of(learn, data)
    need_targets(samples, "A search for wrong labels")
    chances = probabilities_of(learn, samples) if probabilities is None else probabilities
    if tuple(chances.shape) != (len(samples), len(goal.classes)):
        raise DataError(
            f"probabilities has shape {tuple(chances.shape)}; "
            f"({len(samples)}, {len(goal.classes)}) was expected.",
            fix="give one row a sample and one column a class",
        )
    assert samples.y is not None
    labels = samples.y.cpu()
    joint, confident = confident_joint(chances, labels)
    wrong = torch.nonzero((confident >= 0) & (confident != labels))[:, 0]
    own = chances[wrong, labels[wrong]]
    best = chances[wrong, confident[wrong]]
    # How much likelier the suggested label is than the given one: Northcutt's normalised margin.
    order = (own - best).argsort(stable=True)
    rows = tuple(
        Suspect(
            int(wrong[k]),
            goal.classes[int(labels[wrong[k]])],
            goal.classes[int(confident[wrong[k]])],
            float(best[k]),
            float(own[k]),
            float(-own[k].clamp(min=1e-12).log()),
        )
        for k in order.tolist()
    )
    return Suspects(rows, goal.classes, joint, len(samples))
