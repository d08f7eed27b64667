"""Interpretation: what a trained model gets right, what it gets wrong, and what it looks at.

    confusion           which classes are taken for which; precision, recall and F1
    residuals           how far a regression is off, and where
    top_losses          the samples that the model finds hardest, shown with truth and prediction
    group_metrics       any metric, for each group of the samples
    class_activation    where in a picture a class is seen, by the weights of the last layer
    grad_cam            the same by gradients, for any network with feature maps
    ActivationStats     a callback: mean, spread and histograms of activations while training
    embed               what the model makes of each sample, in two dimensions (PCA, t-SNE)
    permutation_importance, partial_dependence    which inputs matter, and how
    suspects            labels that are probably wrong: a list that can be applied to the data

Each gives data first (tensors, rows, a table); whatever can be drawn has a ``plot``. Targets may be
`Label`, `Labels`, `Mask` or `Continuous` wherever the notion exists, and elsewhere the error says
which function fits instead.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sprat.interpret.activations import ActivationStats
    from sprat.interpret.cleaner import Suspect, Suspects, suspects
    from sprat.interpret.columns import columns_of, permuted, with_value
    from sprat.interpret.dependence import Dependence, partial_dependence
    from sprat.interpret.embeddings import Embedding, embed, features, pca, tsne
    from sprat.interpret.groups import GroupMetrics, group_metrics
    from sprat.interpret.importance import Importance, permutation_importance
    from sprat.interpret.maps import Maps, class_activation, grad_cam
    from sprat.interpret.matrix import Confusion, LabelsConfusion, confusion, count_pairs
    from sprat.interpret.noise import confident_joint, out_of_fold, probabilities
    from sprat.interpret.regression import Residuals, residuals
    from sprat.interpret.top import TopLosses, sample_losses, show_top_losses, top_losses

_NAMES = {
    "activations": ("ActivationStats",),
    "columns": ("columns_of", "permuted", "with_value"),
    "matrix": ("Confusion", "LabelsConfusion", "confusion", "count_pairs"),
    "dependence": ("Dependence", "partial_dependence"),
    "embeddings": ("Embedding", "embed", "features", "pca", "tsne"),
    "groups": ("GroupMetrics", "group_metrics"),
    "importance": ("Importance", "permutation_importance"),
    "maps": ("Maps", "class_activation", "grad_cam"),
    "noise": ("confident_joint", "out_of_fold", "probabilities"),
    "regression": ("Residuals", "residuals"),
    "cleaner": ("Suspect", "Suspects", "suspects"),
    "top": ("TopLosses", "sample_losses", "show_top_losses", "top_losses"),
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "ActivationStats", "Confusion", "Dependence", "Embedding", "GroupMetrics", "Importance",
    "LabelsConfusion", "Maps", "Residuals", "Suspect", "Suspects", "TopLosses",
    "class_activation", "columns_of", "confident_joint", "confusion", "count_pairs", "embed",
    "features", "grad_cam", "group_metrics", "out_of_fold", "partial_dependence", "pca",
    "permutation_importance", "permuted", "probabilities", "residuals", "sample_losses",
    "show_top_losses", "suspects", "top_losses", "tsne", "with_value",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a view's file when it is first asked for, so that a chapter depends on no other."""
    if name not in _WHERE:
        raise AttributeError(f"sprat.interpret has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"sprat.interpret.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
