"""sprat: a small deep learning library on torch, made to be read.

    import sprat as sp

    data = sp.datasets.fetch("fashion_mnist")
    task = sp.Task(sp.Image(channels=1), sp.Label(data.classes))
    model = sp.models.LeNet(task.in_channels, task.num_outputs)
    learn = sp.Learner(task, data.split(valid=0.1), model=model)
    learn.fit_one_cycle(epochs=3)
    learn.show_results()

Every name is imported from its file when it is first used. So ``import sprat`` costs nearly
nothing, and what runs depends only on the files that it really uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sprat import (
        augment,
        blocks,
        callbacks,
        data,
        datasets,
        diffusion,
        distributed,
        encodings,
        errors,
        graphs,
        interpret,
        loggers,
        losses,
        metrics,
        models,
        optim,
        phases,
        physics,
        recipes,
        schedule,
        show,
        tabular,
        text,
    )
    from sprat.accumulate import Accumulate
    from sprat.arranged import Arranged
    from sprat.augment import Augment, CutMix, MixUp, RandAugment
    from sprat.blocks import (
        Block,
        Continuous,
        Graph,
        Image,
        ImageTensor,
        Keypoints,
        Label,
        Labels,
        Mask,
        TableRow,
        Text,
        Tokens,
        Trajectory,
    )
    from sprat.callbacks import Callback, Cancel, GradientClip, Schedule
    from sprat.checkpoint import Checkpoint
    from sprat.claims import claim, record
    from sprat.data import Batch, Data, Splits
    from sprat.derive import Guess, loss_for, metrics_for
    from sprat.ema import EMA
    from sprat.encodings import Encoding, Normalize, OneHotEncode, ScalePoints, ToFloat
    from sprat.errors import SpratError
    from sprat.export import load, save
    from sprat.export_onnx import save_onnx
    from sprat.graphs import GraphBatch
    from sprat.grid import Grid
    from sprat.history import History
    from sprat.learner import Learner
    from sprat.loader import Loader
    from sprat.metrics import Metric
    from sprat.onehot import OneHot
    from sprat.phases import Phase, TrainPhase, ValidPhase
    from sprat.phases.diffusion import DiffusionPhase
    from sprat.phases.fixmatch import FixMatchPhase
    from sprat.phases.gan import GANPhase
    from sprat.phases.mean_teacher import MeanTeacherPhase
    from sprat.phases.predict import PredictPhase
    from sprat.phases.rollout import RolloutPhase
    from sprat.phases.vae import VAEPhase
    from sprat.published import publish
    from sprat.rows import Rows
    from sprat.sliders import scrub
    from sprat.stopping import EarlyStopping
    from sprat.tables import Table
    from sprat.task import Task

_MODULES = {
    "augment", "blocks", "callbacks", "data", "datasets", "diffusion", "distributed",
    "encodings", "errors",
    "graphs", "interpret", "loggers", "losses", "metrics", "models", "optim", "phases", "physics",
    "recipes", "schedule", "show", "tabular", "text",
}  # fmt: skip
_NAMES = {
    "augment": ("Augment", "CutMix", "MixUp", "RandAugment"),
    "blocks": (
        "Block",
        "Continuous",
        "Graph",
        "Image",
        "ImageTensor",
        "Keypoints",
        "Label",
        "Labels",
        "Mask",
        "TableRow",
        "Text",
        "Tokens",
        "Trajectory",
    ),
    "accumulate": ("Accumulate",),
    "arranged": ("Arranged",),
    "callbacks": ("Callback", "Cancel", "GradientClip", "Schedule"),
    "checkpoint": ("Checkpoint",),
    "claims": ("claim", "record"),
    "data": ("Batch", "Data", "Splits"),
    "derive": ("Guess", "loss_for", "metrics_for"),
    "ema": ("EMA",),
    "encodings": ("Encoding", "Normalize", "OneHotEncode", "ScalePoints", "ToFloat"),
    "errors": ("SpratError",),
    "export": ("load", "save"),
    "export_onnx": ("save_onnx",),
    "graphs": ("GraphBatch",),
    "grid": ("Grid",),
    "history": ("History",),
    "learner": ("Learner",),
    "loader": ("Loader",),
    "metrics": ("Metric",),
    "onehot": ("OneHot",),
    "phases": ("Phase", "TrainPhase", "ValidPhase"),
    "phases.diffusion": ("DiffusionPhase",),
    "phases.fixmatch": ("FixMatchPhase",),
    "phases.gan": ("GANPhase",),
    "phases.mean_teacher": ("MeanTeacherPhase",),
    "phases.predict": ("PredictPhase",),
    "phases.rollout": ("RolloutPhase",),
    "phases.vae": ("VAEPhase",),
    "published": ("publish",),
    "rows": ("Rows",),
    "sliders": ("scrub",),
    "stopping": ("EarlyStopping",),
    "tables": ("Table",),
    "task": ("Task",),
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "__version__", *sorted(_MODULES), *sorted(_WHERE),
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a name's file at its first use (PEP 562), and keep it."""
    if name in _WHERE:
        value = getattr(import_module(f"sprat.{_WHERE[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"sprat.{name}")
    else:
        raise AttributeError(f"sprat has no {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
