"""How a picture network comes apart: a body that sees, and a head that answers.

What a body has learnt on one task serves another: a U-Net paints masks with it, a siamese network
compares with it, fine-tuning keeps it and replaces the head. So every picture network of sprat has
``trunk()``, all before the head as one `nn.Sequential`, and ``groups()``, its parts from input to
output, which may train at different rates (Howard and Ruder, "Universal Language Model Fine-tuning
for Text Classification", 2018, section 3.2).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sprat.errors import TaskError


@runtime_checkable
class Backbone(Protocol):
    """A network that can be used without its head."""

    def trunk(self) -> nn.Sequential:
        """Everything before the head: pictures in, (batch, channels, height, width) out."""
        ...


def trunk(model: nn.Module) -> nn.Module:
    """What of a model gives features: all but the head, where it says so, else the model itself."""
    return model.trunk() if isinstance(model, Backbone) else model


def part(module: nn.Module | Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any] | None]:
    """A network inside another one, and how to write it down so that it can be built again.

    Args:
        module: the network, or its description ``{"name": …, "arguments": …}``, as a saved config
            has it. Only models of sprat can be built from a description.

    Returns:
        The network and its description; None where it is none of sprat's.

    Raises:
        TaskError: it is neither, or the description names no model of sprat.
    """
    from sprat import models

    if isinstance(module, Mapping):
        name, arguments = module.get("name"), module.get("arguments")
        if name not in models.__all__ or not isinstance(arguments, Mapping):
            raise TaskError(
                f"{dict(module)!r} describes no model of sprat.",
                fix='give a module, or {"name": "ResNet", "arguments": {…}}',
            )
        built: nn.Module = getattr(models, str(name))(**arguments)
        return built, {"name": name, "arguments": dict(arguments)}
    if not isinstance(module, nn.Module):
        raise TaskError(
            f"The body is {module!r}; an nn.Module was expected.",
            fix="give a network, for example sprat.models.ResNet(3, 10)",
        )
    name, arguments = type(module).__name__, getattr(module, "arguments", None)
    known = name in models.__all__ and type(module) is getattr(models, name)
    described = {"name": name, "arguments": arguments} if known and arguments is not None else None
    return module, described


def first_channels(module: nn.Module) -> int:
    """The channels that a body takes: those of its first convolution.

    Raises:
        TaskError: it has none.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.in_channels
    raise TaskError(
        f"{type(module).__name__} has no convolution that says how many channels it takes.",
        fix="pass in_channels=",
    )


@contextmanager
def mocking(body: nn.Module) -> Iterator[None]:
    """Try a body inside ``with``: nothing of a mock picture stays in its statistics."""
    modes = [(module, module.training) for module in body.modules()]
    body.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def check_pictures(model: nn.Module, x: Tensor, in_channels: int) -> None:
    """Refuse pictures that a network was not built for. Looks at the shape, never at the values.

    Raises:
        TaskError: what was found, what was expected, and what mends it.
    """
    if x.ndim != 4:
        hint = "add the batch axis with x[None]" if x.ndim == 3 else "reshape them"
        raise TaskError(
            f"{type(model).__name__} got shape {tuple(x.shape)}; (batch, channels, height, width) "
            "was expected.",
            fix=hint,
        )
    if x.shape[1] != in_channels:
        last = x.shape[3] == in_channels
        raise TaskError(
            f"{type(model).__name__} got pictures of shape {tuple(x.shape)}: {x.shape[1]} channels "
            f"instead of {in_channels}.",
            fix="permute(0, 3, 1, 2) puts channels second"
            if last
            else f"build it with in_channels={x.shape[1]}, or mend the data",
        )
    if not x.is_floating_point():
        raise TaskError(
            f"{type(model).__name__} got {x.dtype}; a float type was expected.",
            fix="encode pictures with sprat.ToFloat() and sprat.Normalize(...)",
        )


def choose(name: str, presets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The arguments that a published name stands for.

    Raises:
        TaskError: no such name; the message lists all.
    """
    if name not in presets:
        raise TaskError(f"There is no preset {name!r}.", fix=f"choose one of {', '.join(presets)}")
    return dict(presets[name])
