"""Learning from few labels: FixMatch and the mean teacher, on handwritten digits."""

import statistics
from pathlib import Path

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.augment import Affine, Augment, Erase, Noise, Transform
from sprat.errors import DataError
from sprat.phases.fixmatch import FixMatchPhase
from sprat.phases.mean_teacher import MeanTeacherPhase
from sprat.phases.parts import Stream
from sprat.snapshot import unchanged

WEAK: list[Transform] = [Affine(8, (0.95, 1.05), 0.0, 0.06)]
STRONG: list[Transform] = [
    Affine(20, (0.8, 1.2), 0.2, 0.12),
    Noise(0.15),
    Erase(0.7, (0.2, 0.4)),
]


def digits(seed: int) -> tuple[sp.Data, sp.Data, sp.Data]:
    """Two labelled samples of each digit, 1,277 without labels, 500 to test with."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    x = torch.tensor(raw.images / 16, dtype=torch.float32)[:, None]
    y = torch.tensor(raw.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    test, rest = order[:500], order[500:]
    labelled = torch.cat([rest[y[rest] == digit][:2] for digit in range(10)])
    return sp.Data(x[labelled], y[labelled]), sp.Data(x[rest]), sp.Data(x[test], y[test])


def task() -> sp.Task:
    return sp.Task(sp.ImageTensor(1, (8, 8)), sp.Label([str(i) for i in range(10)]))


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


EPOCHS = 24  # then the gain is twice the gate, so that rounding on another CPU cannot undo it


def augmented(seed: int) -> float:
    """The accuracy from 20 labels alone, augmented, in as many steps as the others take."""
    labelled, unlabelled, test = digits(seed)
    torch.manual_seed(seed)
    learn = sp.Learner(
        task(), (labelled, test), model=network(), device="cpu", callbacks=[Augment(*WEAK)]
    )
    learn.phases = (sp.TrainPhase(),)
    learn.fit(EPOCHS * -(-len(unlabelled) // 64), lr=3e-3)
    return learn.evaluate()["accuracy"]


def with_unlabelled(seed: int, phase: sp.TrainPhase, measure: sp.Phase) -> float:
    labelled, unlabelled, test = digits(seed)
    torch.manual_seed(seed)
    parts = {"train": labelled, "unlabelled": unlabelled, "valid": test}
    learn = sp.Learner(task(), parts, model=network(), device="cpu", phases=[phase])
    learn.fit(EPOCHS, lr=3e-3)
    learn.phases = (phase, measure)
    return learn.evaluate()["accuracy"]


@pytest.mark.slow
def test_fixmatch_gains_five_points_at_twenty_labels() -> None:
    """Over three seeds, in as many steps and with the same weak transforms for both."""
    gains = [
        with_unlabelled(seed, FixMatchPhase(WEAK, STRONG, threshold=0.9), sp.ValidPhase())
        - augmented(seed)
        for seed in range(3)
    ]
    assert statistics.mean(gains) >= 0.05, gains


@pytest.mark.slow
def test_a_mean_teacher_beats_labels_alone() -> None:
    phase = MeanTeacherPhase(STRONG[:2], decay=0.97)
    taught = with_unlabelled(0, phase, sp.ValidPhase(phase.measure))
    assert taught >= augmented(0) + 0.01


class Steps(sp.Callback):
    """What happens in each step."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def phase_begin(self, learn: sp.Learner) -> None:
        self.seen.append(learn.phase.name)

    def step_begin(self, learn: sp.Learner) -> None:
        self.seen.append(f"begin {len(learn.batch)}")

    def backward_end(self, learn: sp.Learner) -> None:
        self.seen.append("backward")

    def step_end(self, learn: sp.Learner) -> None:
        self.seen.append("end")


def small(phase: sp.TrainPhase, measure: sp.Phase | None = None) -> sp.Learner:
    """20 labelled, 96 unlabelled, 40 test samples, in batches of 16."""
    labelled, unlabelled, test = digits(0)
    parts = {"train": labelled, "unlabelled": unlabelled[:96], "valid": test[:40]}
    torch.manual_seed(0)
    return sp.Learner(
        task(), parts, model=network(), batch_size=16, device="cpu",
        phases=[phase, measure or sp.ValidPhase()],
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["fixmatch", "teacher"])
def test_events_come_in_exact_order(kind: str) -> None:
    phase = FixMatchPhase(WEAK, STRONG) if kind == "fixmatch" else MeanTeacherPhase(WEAK)
    steps = Steps()
    learn = small(phase)
    learn.fit(1, callbacks=[steps])
    train = ["begin 16", "backward", "end"] * 6
    assert steps.seen == ["train", *train, "valid", "begin 32", "end", "begin 8", "end"]
    assert {"train_supervised", "train_consistency", "accuracy"} <= set(learn.history.rows[0])


def test_a_sure_answer_teaches_and_an_unsure_one_does_not() -> None:
    learn = small(FixMatchPhase(WEAK, STRONG, threshold=1.1))  # nothing is as sure as that
    learn.fit(1)
    row = learn.history.rows[0]
    assert row["train_sure"] == 0
    assert row["train_consistency"] == 0
    assert row["train_loss"] == pytest.approx(row["train_supervised"])
    learn = small(FixMatchPhase(WEAK, STRONG, threshold=0.0))
    learn.fit(1)
    assert learn.history.last("train_sure") == 1
    assert learn.history.last("train_consistency") > 0


def test_the_teacher_is_the_average_of_its_students() -> None:
    """Two steps by hand: after the first the teacher is the mean of start and student."""
    phase = MeanTeacherPhase(WEAK, decay=0.9)
    learn = small(phase)
    students = [learn.model[0].weight.detach().clone()]  # type: ignore[index]

    class Keep(sp.Callback):
        def step_end(self, learn: sp.Learner) -> None:
            if learn.phase.trains:
                students.append(learn.model[0].weight.detach().clone())  # type: ignore[index]
                expected.append(expected[-1] * d() + students[-1] * (1 - d()))

    def d() -> float:
        return min(0.9, 1 - 1 / (len(students)))

    expected = [students[0]]
    learn.fit(1, callbacks=[Keep()])
    assert phase.teacher is not None
    torch.testing.assert_close(phase.teacher[0].weight, expected[-1])  # type: ignore[index]
    assert not any(p.requires_grad for p in phase.teacher.parameters())


def test_validation_measures_the_teacher_where_it_is_asked_to() -> None:
    phase = MeanTeacherPhase(WEAK)
    learn = small(phase, sp.ValidPhase(phase.measure))
    learn.fit(1)
    assert phase.teacher is not None
    learn.model.load_state_dict(phase.teacher.state_dict())
    plain = learn.history.last("valid_loss")
    learn.phases = (phase, sp.ValidPhase())
    assert learn.evaluate()["loss"] == pytest.approx(plain, rel=1e-5)


def test_labelled_batches_come_round_and_each_sample_as_often() -> None:
    learn = small(FixMatchPhase(WEAK, STRONG))
    stream, seen = Stream("train"), []
    for _ in range(6):  # three passes of two batches: 16 and 4
        seen += stream.next(learn).index.tolist()  # type: ignore[union-attr]
    assert sorted(seen) == sorted(list(range(20)) * 3)


def test_a_missing_part_is_named() -> None:
    labelled, _, test = digits(0)
    learn = sp.Learner(
        task(),
        (labelled, test),
        model=network(),
        device="cpu",
        phases=[FixMatchPhase(WEAK, STRONG)],
    )
    with pytest.raises(DataError, match="no 'unlabelled' data, only train, valid"):
        learn.fit(1)
    with pytest.raises(DataError, match="'train' is missing"):
        sp.Learner(task(), {"labelled": labelled}, model=network(), device="cpu")


def test_parts_without_targets_are_still_checked() -> None:
    labelled, _, _ = digits(0)
    wrong = sp.Data(torch.zeros(8, 1, 8, 8, dtype=torch.uint8))
    with pytest.raises(sp.SpratError, match="a float type was expected"):
        sp.Learner(task(), {"train": labelled, "unlabelled": wrong}, model=network(), device="cpu")


class Ended(Exception):  # noqa: N818 - what happens to a process
    """As if the process had ended."""


class End(sp.Callback):
    """After so many training steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step_end(self, learn: sp.Learner) -> None:
        self.left -= learn.phase.trains
        if self.left < 0:
            raise Ended


@pytest.mark.parametrize("kind", ["fixmatch", "teacher"])
def test_an_interrupted_training_goes_on_exactly(kind: str, tmp_path: Path) -> None:
    """In mid-epoch too: the teacher, and whose turn it is among the labelled batches, are kept."""

    def make() -> sp.Learner:
        generator = torch.Generator().manual_seed(4)
        if kind == "fixmatch":
            return small(FixMatchPhase(WEAK, STRONG, threshold=0.2, generator=generator))
        return small(MeanTeacherPhase(WEAK, generator=generator))

    whole = make()
    whole.fit(2)
    broken = make()
    with pytest.raises(Ended):
        broken.fit(2, callbacks=[sp.Checkpoint(tmp_path, every=3), End(4)])
    resumed = make()
    resumed.resume(tmp_path)
    resumed.fit(2, callbacks=[sp.Checkpoint(tmp_path, every=3)])
    assert resumed.history.losses == whole.history.losses
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])


@pytest.mark.parametrize("kind", ["fixmatch", "teacher"])
def test_what_is_only_tried_out_changes_no_phase(kind: str) -> None:
    def losses(trial: bool) -> list[float]:
        generator = torch.Generator().manual_seed(4)
        fixmatch = FixMatchPhase(WEAK, STRONG, threshold=0.2, generator=generator)
        teacher = MeanTeacherPhase(WEAK, generator=generator)
        learn = small(fixmatch if kind == "fixmatch" else teacher)
        learn.fit(1)
        if trial:
            with unchanged(learn):  # as `lr_find` does
                learn.run(learn.phases[0])
        return learn.fit(1).losses

    assert losses(trial=True) == losses(trial=False)
