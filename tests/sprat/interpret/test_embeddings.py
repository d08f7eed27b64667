"""Embeddings: principal components against scikit-learn's, t-SNE that keeps neighbours together."""

import sys

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from torch import nn

import sprat as sp
from sprat.errors import DataError, TaskError
from sprat.interpret import embed, features, pca, tsne


@pytest.mark.parametrize("shape", [(60, 7), (40, 90), (150, 130)])
def test_pca_is_scikit_learns_up_to_signs(shape: tuple[int, int]) -> None:
    values = torch.randn(shape) @ torch.diag(torch.linspace(4, 0.2, shape[1])) + 3
    places, explained = pca(values)
    reference = PCA(2, svd_solver="full").fit(values.double().numpy())
    expected = torch.from_numpy(reference.transform(values.double().numpy())).float()
    assert torch.allclose(places.abs(), expected.abs(), atol=5e-3)
    assert explained.tolist() == pytest.approx(
        reference.explained_variance_ratio_.tolist(), rel=1e-3
    )


def test_random_projections_find_the_same_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.randn(150, 130) @ torch.diag(0.7 ** torch.arange(130.0))
    expected, shares = pca(values)
    monkeypatch.setattr("sprat.interpret.embeddings.WIDE", 100)
    places, explained = pca(values)
    assert torch.allclose(places, expected, atol=1e-3)
    assert torch.allclose(explained, shares, atol=1e-4)


def test_pca_repeats_and_leaves_random_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sprat.interpret.embeddings.WIDE", 100)
    values = torch.randn(150, 130)
    torch.manual_seed(5)
    first, _ = pca(values)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(pca(values)[0], first)


def test_pca_needs_enough_samples() -> None:
    with pytest.raises(DataError, match="1 samples"):
        pca(torch.randn(1, 5))


def test_features_are_what_the_last_layer_reads(learn: sp.Learner) -> None:
    values = features(learn)
    assert values.shape == (24, 8)
    last = [m for m in learn.model.modules() if isinstance(m, nn.Linear)][-1]
    y_hat, _ = learn.predictions()
    assert torch.allclose(last(values), y_hat, atol=1e-5)
    assert not last._forward_pre_hooks


def test_classes_part_as_the_model_learns(learn: sp.Learner) -> None:
    def parting() -> float:
        found = embed(learn)
        middles = torch.stack(
            [
                found.places[torch.tensor([label == name for label in found.labels])].mean(0)
                for name in ("top", "middle", "bottom")
            ]
        )
        return float(middles.std(0).sum() / found.places.std(0).sum())

    before = parting()
    learn.fit(10, lr=0.02)
    assert parting() > max(before, 0.8)


def test_tsne_keeps_neighbours_and_repeats() -> None:
    middles = 8 * torch.eye(3, 10)
    values = torch.cat([middles[i] + torch.randn(20, 10) for i in range(3)])
    dice = torch.Generator().manual_seed(1)
    places = tsne(values, generator=dice)
    assert trustworthiness(values.numpy(), places.numpy()) > 0.9
    again = tsne(values, generator=torch.Generator().manual_seed(1))
    assert torch.equal(places, again)


def test_without_scikit_learn_the_error_names_the_install(
    learn: sp.Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(TaskError, match="needs scikit-learn") as caught:
        embed(learn, way="tsne")
    assert "pip install scikit-learn" in caught.value.fix


def test_the_plot_writes_each_class_at_its_middle(learn: sp.Learner) -> None:
    ax = embed(learn).plot().axes[0]
    assert {text.get_text() for text in ax.texts} == {"top", "middle", "bottom"}
    assert len({tuple(points.get_facecolor()[0]) for points in ax.collections}) == 3
    assert "of the variance" in ax.get_xlabel()
    unnamed = embed(learn, labels=[""] * 24).plot().axes[0]
    assert not unnamed.texts


def test_mistakes_are_named(learn: sp.Learner, pictures: sp.Data) -> None:
    with pytest.raises(TaskError, match="no way 'umap'"):
        embed(learn, way="umap")
    with pytest.raises(DataError, match="2 labels and 24 samples"):
        embed(learn, labels=["a", "b"])
    with pytest.raises(TaskError, match="never uses"):
        features(learn, layer=nn.Linear(2, 2))
    conv = sp.Learner(
        sp.Task(sp.Image(1), sp.Mask(["a", "b"])),
        sp.Data(pictures.x, torch.zeros(96, 9, 9, dtype=torch.int64)),
        model=nn.Conv2d(1, 2, 1),
        device="cpu",
    )
    with pytest.raises(TaskError, match="no linear layer"):
        features(conv)
    assert features(conv, layer=conv.model).shape == (96, 81)
