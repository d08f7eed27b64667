"""Which device to compute on, with whom, and in which precision."""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sprat.errors import TrainingError
from sprat.given import precision_fix

if TYPE_CHECKING:
    from sprat.distributed import Group

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(device: torch.device | str = "auto") -> torch.device:
    """The device asked for; ``"auto"`` is CUDA, then MPS, then the CPU.

    Raises:
        TrainingError: this machine has no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    if not isinstance(device, (str, torch.device)):
        raise TrainingError(
            f"The device is {device!r}; a name was expected.",
            fix='leave it out, or use device="auto", "cpu" or "cuda:0"',
        )
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        said = str(error).splitlines()[0]
        if said.startswith("Expected one of"):
            said = "there is no such kind; cpu, cuda and mps are the usual ones."
        raise TrainingError(
            f"The device {str(device)!r} can't be used: {said}",
            fix='use device="auto", which takes a GPU where there is one, or device="cpu"',
        ) from None
    return chosen


def meet(
    distributed: str | None, device: torch.device | str, optimizer: Any
) -> "tuple[Group | None, torch.device]":
    """The processes to train with, if there are any, and the device to compute on.

    Args:
        distributed: as for `sprat.Learner`; None is this process alone.
        device: as for `choose_device`.
        optimizer: what was given as ``optimizer=``; some ways to share work rule some out.
    """
    if distributed is None:
        return None, choose_device(device)
    from sprat.distributed import join  # few need it, so few load it

    group = join(distributed, device, optimizer=optimizer)
    return group, group.device


def choose_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """The type that autocast computes in, or None for plain float32.

    Raises:
        TrainingError: the name is unknown, or the device can't do it.
    """
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise TrainingError(
            f"The precision {precision!r} is unknown; one of {', '.join(PRECISIONS)} was expected.",
            fix=precision_fix(precision),
        )
    if precision == "fp16" and device.type == "cpu":
        raise TrainingError(
            "fp16 needs a GPU: on the CPU its gradients underflow with no speed gained.",
            fix='use precision="bf16", or "fp32"',
        )
    return PRECISIONS[precision]


def place(
    model: nn.Module, device: torch.device, *, channels_last: bool, compile: bool | str
) -> nn.Module:
    """The model on its device, laid out and compiled as asked for.

    Compiling is in place, so the names of the weights stay as they are.
    """
    model = model.to(device)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compile:
        model.compile(backend=compile if isinstance(compile, str) else "inductor")
    return model
