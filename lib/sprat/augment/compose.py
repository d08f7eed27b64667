"""Transforms one after another."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sprat.augment.geometry import Geometric, warp
from sprat.augment.view import Transform, View, refuse_bytes


def augment(
    view: View, transforms: Sequence[Transform], *, generator: torch.Generator | None = None
) -> View:
    """Apply transforms in order; neighbours that move pixels are sampled once, together.

    Args:
        view: the batch, on any device.
        transforms: what to do.
        generator: where the randomness comes from, on the batch's device.

    Raises:
        TaskError: the pictures are not floats of four axes, or a transform is none.
    """
    refuse_bytes(view, transforms)
    matrix: Tensor | None = None
    for transform in transforms:
        params = transform.draw(view, generator)
        if isinstance(transform, Geometric):
            # Later transforms act on what earlier ones made, so they stand to the left.
            matrix = params["matrix"] if matrix is None else params["matrix"] @ matrix
            if transform.size is not None:  # what follows sees the new size
                view, matrix = warp(view, matrix, transform.size), None
            continue
        if matrix is not None:
            view, matrix = warp(view, matrix), None
        view = transform.apply(view, params)
    return view if matrix is None else warp(view, matrix)
