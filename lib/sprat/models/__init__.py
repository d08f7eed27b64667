"""Networks, one file each, to be read from top to bottom.

Each keeps the arguments that built it in ``arguments``, so that `sprat.export` can save them and
`sprat.load` can build the same network again.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sprat.models.collab import CollabDot, NeuralCollab
    from sprat.models.ddpm import DDPMUNet
    from sprat.models.efficientnet import EfficientNetLite0
    from sprat.models.gpt import GPT
    from sprat.models.lenet import LeNet
    from sprat.models.messages import GCN, MPNN
    from sprat.models.mlp import MLP
    from sprat.models.node import NeuralODE
    from sprat.models.resnet import ResNet
    from sprat.models.rnn import RNNLM
    from sprat.models.siamese import Siamese
    from sprat.models.smollm2 import SmolLM2
    from sprat.models.tabular import TabularNet
    from sprat.models.unet import UNet, UNetEncoder
    from sprat.models.vae import VAE
    from sprat.models.vit import ViT
    from sprat.models.xresnet import XResNet

_WHERE = {
    "CollabDot": "collab",
    "DDPMUNet": "ddpm",
    "EfficientNetLite0": "efficientnet",
    "GCN": "messages",
    "GPT": "gpt",
    "LeNet": "lenet",
    "MLP": "mlp",
    "MPNN": "messages",
    "NeuralCollab": "collab",
    "NeuralODE": "node",
    "RNNLM": "rnn",
    "ResNet": "resnet",
    "Siamese": "siamese",
    "SmolLM2": "smollm2",
    "TabularNet": "tabular",
    "UNet": "unet",
    "UNetEncoder": "unet",
    "VAE": "vae",
    "ViT": "vit",
    "XResNet": "xresnet",
}

__all__ = [
    "GCN",
    "GPT",
    "MLP",
    "MPNN",
    "RNNLM",
    "VAE",
    "CollabDot",
    "DDPMUNet",
    "EfficientNetLite0",
    "LeNet",
    "NeuralCollab",
    "NeuralODE",
    "ResNet",
    "Siamese",
    "SmolLM2",
    "TabularNet",
    "UNet",
    "UNetEncoder",
    "ViT",
    "XResNet",
]


def __getattr__(name: str) -> Any:
    """Import a model's file when it is first asked for, so that a chapter depends on no other."""
    from importlib import import_module

    if name not in _WHERE:
        raise AttributeError(f"sprat.models has no {name!r}; it has {', '.join(sorted(_WHERE))}")
    return getattr(import_module(f"sprat.models.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_WHERE)
