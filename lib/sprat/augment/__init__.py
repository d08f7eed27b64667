"""Augmentation of whole batches, on the device where they are.

Every transform draws parameters of its own for each sample, all samples at once, and applies them
in a few tensor operations. So a machine with few cores and a GPU does not wait for its cores. What
moves pixels is a 3×3 matrix in coordinates that run from −1 to 1 across the picture; neighbouring
ones are multiplied together before the picture is sampled once, and the same matrix moves masks
and points.

    learn = sp.Learner(..., callbacks=[sp.Augment(Flip(), Affine(degrees=10), Erase())])
"""

from sprat.augment.callback import Augment
from sprat.augment.compose import augment
from sprat.augment.crops import RandomCrop, RandomResizedCrop
from sprat.augment.geometry import Affine, Flip, Geometric, Perspective, warp
from sprat.augment.mix import CutMix, MixUp
from sprat.augment.pixels import Blur, Colour, Erase, Noise
from sprat.augment.policy import RandAugment
from sprat.augment.view import Params, Transform, View

__all__ = [
    "Affine",
    "Augment",
    "Blur",
    "Colour",
    "CutMix",
    "Erase",
    "Flip",
    "Geometric",
    "MixUp",
    "Noise",
    "Params",
    "Perspective",
    "RandAugment",
    "RandomCrop",
    "RandomResizedCrop",
    "Transform",
    "View",
    "augment",
    "warp",
]
