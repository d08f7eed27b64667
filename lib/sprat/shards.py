"""What FSDP has split among processes: put together for a file, and split again after it.

FSDP keeps of every weight, gradient and optimiser state a part in each process, as a `DTensor`,
which knows along which axis it was split. For a file each is put together in turn, so no process
ever holds more than one whole tensor on its device; the first one collects them on the CPU. In the
file such a tensor is ``{"split": axis, "whole": tensor}``.

Zhao et al., "PyTorch FSDP" (2023); https://docs.pytorch.org/docs/stable/distributed.tensor.html.
"""

from typing import Any

from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from sprat.files import each

_KEYS = {"split", "whole"}


def whole(state: Any, *, keep: bool) -> Any:
    """A state with every split tensor in it put together.

    Every process has to ask at the same time, with states that are built alike.

    Args:
        state: lists, tuples and dicts of plain values and tensors.
        keep: keep what was put together, on the CPU; else only take part.
    """

    def together(value: Any) -> Any:
        if not isinstance(value, DTensor):
            return value
        (placement,) = value.placements
        axis = placement.dim if isinstance(placement, Shard) else None
        full = value.full_tensor().detach()
        return {"split": axis, "whole": full.cpu() if keep else None}

    return each(state, together)


def split(state: Any, mesh: DeviceMesh) -> Any:
    """A state in which `whole` put tensors together, with these split again.

    Each process takes its part of what it has, so nothing is sent.

    Args:
        state: what `whole` gave to the process that kept it.
        mesh: the processes.
    """
    if isinstance(state, dict) and state.keys() == _KEYS and isinstance(state["whole"], Tensor):
        placement = Replicate() if state["split"] is None else Shard(state["split"])
        full = state["whole"].to(mesh.device_type)
        return distribute_tensor(full, mesh, [placement], src_data_rank=None)
    if isinstance(state, dict):
        return {key: split(part, mesh) for key, part in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(split(part, mesh) for part in state)
    return state
