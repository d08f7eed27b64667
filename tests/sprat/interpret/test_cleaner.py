"""Suspicious labels: the counts of confident learning, and injected noise that is found."""

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.errors import DataError, TaskError
from sprat.interpret import Suspects, confident_joint, out_of_fold, suspects


def by_the_paper(chances: list[list[float]], labels: list[int]) -> list[list[int]]:
    """Northcutt et al., equations 1 and 2, written with loops."""
    classes = range(len(chances[0]))
    thresholds = []
    for j in classes:
        own = [row[j] for row, label in zip(chances, labels, strict=True) if label == j]
        thresholds.append(sum(own) / len(own))
    joint = [[0] * len(classes) for _ in classes]
    for row, label in zip(chances, labels, strict=True):
        reached = [j for j in classes if row[j] >= thresholds[j] - 1e-12]
        if reached:
            joint[label][max(reached, key=lambda j: row[j])] += 1
    return joint


def test_the_joint_is_that_of_the_paper() -> None:
    chances = torch.randn(300, 4).softmax(1).double()
    labels = chances.multinomial(1)[:, 0]
    joint, confident = confident_joint(chances, labels)
    assert joint.tolist() == by_the_paper(chances.tolist(), labels.tolist())
    assert int(joint.sum()) == int((confident >= 0).sum()) < 300


def test_a_class_without_samples_is_nobodys() -> None:
    chances = torch.tensor([[0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    joint, confident = confident_joint(chances, torch.tensor([0, 0, 1]))
    assert int(joint[:, 2].sum()) == int(joint[2].sum()) == 0
    assert 2 not in confident.tolist()


def digits(count: int = 1200) -> tuple[sp.Data, torch.Tensor]:
    """Real digits, a tenth of them labelled wrong; and which."""
    dice = torch.Generator().manual_seed(0)
    data = sp.datasets.fetch("mnist_5000").shuffle(generator=dice)[:count]
    wrong = torch.randperm(count, generator=dice)[: count // 10]
    y = data.y.clone()
    y[wrong] = (y[wrong] + torch.randint(1, 10, (len(wrong),), generator=dice)) % 10
    return sp.Data(data.x, y, classes=data.classes), wrong


def make(parts: sp.Splits) -> sp.Learner:
    torch.manual_seed(0)
    task = sp.Task(sp.Image(1), sp.Label(parts.train.classes))
    learn = sp.Learner(
        task,
        parts,
        model=sp.models.MLP(784, 10, [64]),
        generator=torch.Generator().manual_seed(0),
        device="cpu",
    )
    learn.fit_one_cycle(8, 5e-3)
    return learn


@pytest.fixture(scope="module")
def noisy() -> tuple[sp.Data, torch.Tensor, Suspects, sp.Learner]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPRAT_PROGRESS", "off")
        data, wrong = digits()
        chances = out_of_fold(make, data, folds=3, generator=torch.Generator().manual_seed(1))
        assert torch.allclose(chances.sum(1), torch.ones(len(data)), atol=1e-4)
        learn = make(sp.Splits(data, data))
    return data, wrong, suspects(learn, data, probabilities=chances), learn


def test_injected_noise_is_found(noisy: tuple[sp.Data, torch.Tensor, Suspects, sp.Learner]) -> None:
    data, wrong, found, learn = noisy
    truly = set(wrong.tolist())
    hits = truly & set(found.indices)
    assert len(hits) / len(truly) > 0.65  # recall
    assert len(hits) / len(found) > 0.65  # precision over the whole list
    first = found.indices[: len(truly) // 2]
    assert len(truly & set(first)) / len(first) > 0.8  # and at its top
    assert 0.08 < found.noise_share < 0.2  # a tenth, and what is hard
    # What a model has learnt by heart no longer looks wrong to it.
    own = set(suspects(learn, data).indices)
    assert len(own & truly) < len(hits)


def test_dropping_and_relabelling_clean_the_data(
    noisy: tuple[sp.Data, torch.Tensor, Suspects, sp.Learner],
) -> None:
    data, _, found, _ = noisy
    before = data.y.clone()
    clean = found.drop(data)
    assert len(clean) == len(data) - len(found)
    assert clean.classes == data.classes
    truth = sp.datasets.fetch("mnist_5000").shuffle(generator=torch.Generator().manual_seed(0)).y
    kept = [i for i in range(len(data)) if i not in set(found.indices)]
    assert torch.equal(clean.y, data.y[kept])
    error = float((clean.y != truth[kept]).float().mean())
    assert error < 0.04  # of the tenth that was wrong
    mended = found[:60].relabel(data)
    right = (mended.y == truth[: len(data)]).sum() - (data.y == truth[: len(data)]).sum()
    assert int(right) > 40
    assert torch.equal(data.y, before)


def test_a_list_that_can_be_narrowed(
    noisy: tuple[sp.Data, torch.Tensor, Suspects, sp.Learner],
) -> None:
    data, _, found, _ = noisy
    first = found[0]
    assert first.given != first.suggested
    assert first.given == data.classes[int(data.y[first.index])]
    assert first.probability > first.given_probability
    margins = [row.given_probability - row.probability for row in found]
    assert margins == sorted(margins)
    assert found.only([first.index]).indices == [first.index]
    assert found.filter(lambda row: row.given == first.given)[0] == first
    assert len(found[:7]) == 7
    stray = next(i for i in range(len(data)) if i not in set(found.indices))
    with pytest.raises(DataError, match=f"Sample {stray} is no suspect"):
        found.only([stray])


@pytest.mark.parametrize("backend", ["text", "matplotlib"])
def test_shown_with_both_labels(
    noisy: tuple[sp.Data, torch.Tensor, Suspects, sp.Learner], backend: str
) -> None:
    data, _, found, _ = noisy
    drawn = found.show(data, 3, backend=backend)
    words = drawn if backend == "text" else "\n".join(ax.get_title() for ax in drawn.axes)
    assert words.count("given: ") == words.count("suggested: ") == 3
    assert f"{len(found)} suspicious labels among 1200" in str(found)
    assert "<table" in found._repr_html_()
    with pytest.raises(DataError, match="no suspect to show"):
        found[:0].show(data)


def test_inputs_that_are_no_pictures_become_a_table() -> None:
    x = torch.cat([torch.randn(20, 2) - 3, torch.randn(20, 2) + 3])
    y = torch.arange(40) // 20
    y[3] = 1
    task = sp.Task(sp.Continuous(2), sp.Label(["left", "right"]))
    data = sp.Data(x, y)
    learn = sp.Learner(task, (data,), model=nn.Linear(2, 2), lr=0.05, device="cpu")
    learn.fit(30)
    found = suspects(learn, data)
    assert found.indices[0] == 3
    assert (found[0].given, found[0].suggested) == ("right", "left")
    assert "left" in str(found.show(data))


def test_mistakes_are_named(learn: sp.Learner, pictures: sp.Data) -> None:
    found = suspects(learn, pictures)
    with pytest.raises(DataError, match="has 5 samples; 96 were judged"):
        found.drop(pictures[:5])
    with pytest.raises(DataError, match=r"shape \(3, 3\)"):
        suspects(learn, pictures, probabilities=torch.ones(3, 3))
    with pytest.raises(DataError, match="1 folds"):
        out_of_fold(make, pictures, folds=1)
    with pytest.raises(DataError, match="2 rows of probabilities and 1 labels"):
        confident_joint(torch.ones(2, 2), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(DataError, match="from 0 to 5"):
        confident_joint(torch.ones(2, 2), torch.tensor([0, 5]))
    task = sp.Task(sp.Image(1), sp.Labels(["a", "b"]))
    data = sp.Data(pictures.x, torch.zeros(96, 2))
    several = sp.Learner(task, data, model=sp.models.MLP(81, 2), device="cpu")
    with pytest.raises(TaskError, match=r"Label; .* Labels") as caught:
        suspects(several)
    assert "top_losses" in caught.value.fix
