"""Confusion matrices against scikit-learn's, for labels, masks and several labels at once."""

import pytest
import torch
from sklearn import metrics as sk
from torch import nn

import sprat as sp
from sprat.errors import DataError, TaskError
from sprat.interpret.matrix import Confusion, count_pairs


@pytest.fixture
def found(learn: sp.Learner) -> Confusion:
    found = sp.interpret.confusion(learn)
    assert isinstance(found, Confusion)
    return found


def test_labels_as_scikit_learn_counts_them(learn: sp.Learner, found: Confusion) -> None:
    y_hat, y = learn.predictions()
    expected = sk.confusion_matrix(y.numpy(), y_hat.argmax(1).numpy(), labels=range(3))
    assert found.counts.tolist() == expected.tolist()
    assert found.accuracy == pytest.approx(sk.accuracy_score(y, y_hat.argmax(1)))
    assert found.accuracy == pytest.approx(learn.evaluate()["accuracy"])


def test_the_report_is_scikit_learns(learn: sp.Learner, found: Confusion) -> None:
    y_hat, y = learn.predictions()
    expected = sk.precision_recall_fscore_support(
        y, y_hat.argmax(1), labels=range(3), zero_division=0
    )
    for i, row in enumerate(found.report().rows):
        assert [float(cell) for cell in row[1:]] == pytest.approx(
            [column[i] for column in expected], abs=5e-4
        )


def test_most_confused_names_truth_and_prediction() -> None:
    counts = torch.tensor([[9, 1, 0], [4, 5, 0], [0, 2, 7]])
    worst = Confusion(counts, ("cat", "dog", "owl")).most_confused()
    assert [(one.truth, one.predicted, one.count) for one in worst] == [
        ("dog", "cat", 4),
        ("owl", "dog", 2),
        ("cat", "dog", 1),
    ]
    assert str(worst[0]) == "truth dog, predicted cat: 4"
    assert len(Confusion(counts, ("cat", "dog", "owl")).most_confused(at_least=2)) == 2


def test_rates_are_shares_of_the_truth() -> None:
    found = Confusion(torch.tensor([[3, 1], [0, 0]]), ("a", "b"))
    assert found.rates().tolist() == [[0.75, 0.25], [0, 0]]


def test_training_makes_the_diagonal_heavier(learn: sp.Learner, found: Confusion) -> None:
    learn.fit(10, lr=0.02)
    after = sp.interpret.confusion(learn)
    assert after.accuracy > max(found.accuracy, 0.9)
    assert int(after.counts.sum()) == 24


def test_other_data_and_plain_loaders(learn: sp.Learner, pictures: sp.Data) -> None:
    whole = sp.interpret.confusion(learn, pictures)
    batches = [(pictures.x[i : i + 7], pictures.y[i : i + 7]) for i in range(0, 96, 7)]
    assert sp.interpret.confusion(learn, batches).counts.tolist() == whole.counts.tolist()
    assert int(whole.counts.sum()) == 96


class Fixed(nn.Module):
    """Puts out what it was made with, for as many samples as it gets."""

    def __init__(self, outputs: torch.Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outputs[: len(x)]


def test_masks_are_counted_pixel_by_pixel() -> None:
    y, y_hat = torch.randint(0, 3, (6, 8, 8)), torch.randn(6, 3, 8, 8)
    task = sp.Task(sp.Image(1), sp.Mask(["sky", "tree", "road"]))
    data = sp.Data(torch.zeros(6, 1, 8, 8, dtype=torch.uint8), y)
    learn = sp.Learner(task, (data, data), model=Fixed(y_hat), device="cpu")
    found = sp.interpret.confusion(learn)
    expected = sk.confusion_matrix(y.flatten(), y_hat.argmax(1).flatten())
    assert found.counts.tolist() == expected.tolist()
    assert found.what == "pixels"


def several(count: int = 40) -> tuple[sp.Learner, torch.Tensor, torch.Tensor]:
    y, y_hat = torch.randint(0, 2, (count, 3)).float(), torch.randn(count, 3)
    task = sp.Task(sp.Image(1), sp.Labels(["hat", "coat", "shoe"]))
    data = sp.Data(torch.zeros(count, 1, 4, 4, dtype=torch.uint8), y)
    return sp.Learner(task, (data, data), model=Fixed(y_hat), device="cpu"), y, y_hat


def test_each_of_several_labels_has_its_own_matrix() -> None:
    learn, y, y_hat = several()
    found = sp.interpret.confusion(learn)
    expected = sk.multilabel_confusion_matrix(y, y_hat > 0)
    assert found.counts.tolist() == expected.tolist()
    precision, recall, f1, support = sk.precision_recall_fscore_support(y, y_hat > 0)
    for i, row in enumerate(found.report().rows):
        assert [float(c) for c in row[1:]] == pytest.approx(
            [precision[i], recall[i], f1[i], support[i]], abs=5e-4
        )
    worst = found.most_confused(1)[0]
    assert worst.count == max(int(found.counts[:, 0, 1].max()), int(found.counts[:, 1, 0].max()))
    assert found.accuracy == pytest.approx(learn.evaluate()["label_accuracy"])


def test_plots_name_their_axes_and_write_the_counts(found: Confusion) -> None:
    ax = found.plot().axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "truth")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["top", "middle", "bottom"]
    written = [text.get_text().replace("·", "0") for text in ax.texts]
    assert [int(number) for number in written] == found.counts.flatten().tolist()
    shares = [text.get_text() for text in found.plot(rates=True).axes[0].texts]
    assert any(share.endswith("%") for share in shares)
    learn, *_ = several()
    assert len(sp.interpret.confusion(learn).plot().axes) == 3


def test_the_table_says_which_side_is_the_truth(found: Confusion) -> None:
    assert "truth ↓ predicted →" in str(found)
    assert "<table" in found._repr_html_()


def test_no_classes_no_matrix() -> None:
    task = sp.Task(sp.Continuous(2), sp.Continuous(1))
    data = sp.Data(torch.randn(4, 2), torch.randn(4, 1))
    learn = sp.Learner(task, (data,), model=nn.Linear(2, 1), device="cpu")
    with pytest.raises(TaskError, match=r"Label or Mask or Labels; .* Continuous") as caught:
        sp.interpret.confusion(learn)
    assert "residuals" in caught.value.fix
    plain = sp.Learner(nn.Linear(2, 1), data, loss=nn.functional.mse_loss, device="cpu")
    with pytest.raises(TaskError, match="plain module"):
        sp.interpret.confusion(plain)


def test_without_truth_there_is_nothing_to_compare(learn: sp.Learner, pictures: sp.Data) -> None:
    with pytest.raises(DataError, match="no targets"):
        sp.interpret.confusion(learn, sp.Data(pictures.x))


def test_an_index_that_is_no_class_is_refused() -> None:
    with pytest.raises(DataError, match="from 0 to 3"):
        count_pairs(torch.tensor([0, 3]), torch.tensor([0, 1]), 3)
