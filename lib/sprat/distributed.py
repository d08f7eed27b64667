"""Training on several processes at once, one a device: a learner's ``distributed=`` argument.

    torchrun --standalone --nproc-per-node=2 train.py    # in it: Learner(..., distributed="ddp")

Every process runs the same script. They share each batch: of a batch of 64, two processes take 32
each, so `batch_size` means what it means in one process, and the weights come out the same.

``"ddp"``, data parallel: each process has the whole model; gradients are averaged before the
weights move. It is done here in a few lines, after the backward pass and for the weights of the
optimiser that moves, and not by torch's wrapper module. So the model stays what it is, with its
methods and the names of its weights, and a phase may call any part of it, any number of times, and
use several optimisers. The price is that communication does not overlap the backward pass.

``"fsdp"``, fully sharded: each process keeps a part of every weight, gradient and optimiser state,
for models that do not fit into one device; torch's ``fully_shard`` (FSDP2) puts the weights
together where they are needed. Rajbhandari et al., "ZeRO" (2020); Zhao et al., "PyTorch FSDP"
(2023).

With either a training can be taken up exactly, by as many processes; see `sprat.Checkpoint`.

Metrics see every sample once, also where a batch can't be shared evenly. The first process alone
shows progress and writes files.
"""

import atexit
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from sprat.data import Batch
from sprat.device import choose_device
from sprat.errors import DataError, TaskError, TrainingError
from sprat.loader import Loader

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

    from sprat.learner import Learner

KINDS = ("ddp", "fsdp")


def join(kind: str, device: torch.device | str = "auto", *, optimizer: Any = None) -> "Group":
    """Meet the other processes that torchrun has started.

    Args:
        kind: ``"ddp"`` or ``"fsdp"``.
        device: ``"auto"`` is the CUDA device of this process's number, else the CPU.
        optimizer: what the learner was given.

    Raises:
        TaskError: there is no such kind, or its optimisers were made before weights were shared.
        TrainingError: the process was not started by torchrun.
    """
    if kind not in KINDS:
        raise TaskError(f"distributed is {kind!r}.", fix='use "ddp", "fsdp", or None')
    if kind == "fsdp" and isinstance(optimizer, Mapping):
        raise TaskError(
            "FSDP splits the weights, and these optimisers hold them whole.",
            fix='pass optimizer=torch.optim.AdamW, a class, or use distributed="ddp"',
        )
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        raise TrainingError(
            f'distributed="{kind}" needs several processes, and this one is alone.',
            fix="start the script with: torchrun --standalone --nproc-per-node=2 train.py",
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if torch.device(device).type == "cuda":
        device = f"cuda:{int(os.environ.get('LOCAL_RANK', 0))}"
        torch.cuda.set_device(device)
    chosen = choose_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    return Group(kind, chosen)


class Group:
    """The processes that train together, as one of them sees them.

    Args:
        kind: ``"ddp"`` or ``"fsdp"``.
        device: where this process computes.

    Attributes:
        rank: this process's number, from 0.
        size: how many there are.
        mesh: with FSDP, the processes as torch's `DTensor` wants to know them.
    """

    mesh: "DeviceMesh"

    def __init__(self, kind: str, device: torch.device) -> None:
        self.kind, self.device = kind, device
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    @property
    def first(self) -> bool:
        """Whether this process is the one that shows progress and writes files."""
        return self.rank == 0

    def take_in(self, learn: "Learner") -> None:
        """Share a new learner's weights and loaders.

        Raises:
            DataError: a plain loader does not share its samples among processes.
        """
        self.spread(learn.model)
        learn.loaders = self.shared(learn.loaders)

    @torch.no_grad()
    def spread(self, model: nn.Module) -> None:
        """Give every process the first one's weights, all of them or a part of each."""
        for value in [*model.parameters(), *model.buffers()]:
            dist.broadcast(value.data, 0)
        if self.kind == "fsdp":
            self.mesh = _shard(model, self)

    def shared(self, loaders: Mapping[str, Any]) -> dict[str, Any]:
        """The loaders, each giving this process its part of every batch.

        Raises:
            DataError: a plain loader does not share its samples among processes.
        """
        return {split: self._share(split, loader) for split, loader in loaders.items()}

    def _share(self, split: str, loader: Any) -> Any:
        if isinstance(loader, Loader):
            return Shared(loader, self)
        sampler = getattr(loader, "sampler", None)
        if not isinstance(sampler, torch.utils.data.DistributedSampler):
            raise DataError(
                f"The loader of {split!r} gives every process the same samples.",
                fix="pass a sprat.Data, or a DataLoader with sampler=DistributedSampler(dataset)",
            )
        return loader

    def agree(self, value: Tensor) -> Tensor:
        """The first process's value, on the CPU."""
        shared = value.to(self.device, copy=True)
        dist.broadcast(shared, 0)
        return shared.cpu()

    def weighted(self, learn: "Learner", loss: Tensor) -> Tensor:
        """The loss, so that the mean over processes is the mean over the samples of the batch."""
        loader, over = learn.loader(learn.phase.split), learn.weighed.over
        if over is None or not isinstance(loader, Shared):
            return loss * loader.share if isinstance(loader, Shared) else loss
        mine = torch.as_tensor(over, dtype=torch.float32, device=self.device)
        if not loader.counts[self.rank]:
            mine = torch.zeros_like(mine)  # the sample is another process's
        total = mine.clone()
        dist.all_reduce(total)
        return loss * (mine * self.size / total)

    @torch.no_grad()
    def average(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the gradients the mean over processes; FSDP has done so in the backward pass.

        All processes take the same step, so the same weights have gradients in each.
        """
        if self.kind == "fsdp":
            return
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        grads = [p.grad for p in weights if p.grad is not None]
        for dtype in sorted({grad.dtype for grad in grads}, key=str):
            same = [grad for grad in grads if grad.dtype == dtype]
            flat = torch.cat([grad.reshape(-1) for grad in same])  # one message, not hundreds
            dist.all_reduce(flat)
            flat /= self.size
            for grad, mean in zip(same, flat.split([g.numel() for g in same]), strict=True):
                grad.copy_(mean.view_as(grad))

    def count(self, learn: "Learner") -> int:
        """The samples of the current batch that count here: none, where there were too few."""
        loader = learn.loader(learn.phase.split)
        return loader.counts[self.rank] if isinstance(loader, Shared) else len(learn.batch)

    def gathered(self, learn: "Learner", values: Any) -> Any:
        """What all processes have of a batch, each sample once, in order.

        Args:
            learn: whose batch it is.
            values: this process's part, a tensor with the batch as its first axis.

        Raises:
            TrainingError: it is no tensor.
        """
        loader = learn.loader(learn.phase.split)
        if not isinstance(loader, Shared):
            return values
        if not isinstance(values, Tensor):
            raise TrainingError(
                f"Metrics over processes need tensors; the step names a {type(values).__name__}.",
                fix="pass metrics=[] to Learner, or name one tensor as y_hat",
            )
        most = max(loader.counts)
        rest = (0, 0) * (values.ndim - 1) + (0, most - len(values))
        mine = F.pad(values.detach(), rest).contiguous()
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(parts, mine)
        return torch.cat([p[:count] for p, count in zip(parts, loader.counts, strict=True)])

    def merged(self, values: list[float], sizes: list[float]) -> tuple[list[float], list[float]]:
        """Means over the samples of all processes, from each one's means, step by step."""
        size = torch.tensor(sizes, dtype=torch.float64)
        value = torch.tensor(values, dtype=torch.float64)
        # Not a number times no sample would still be not a number.
        both = torch.stack([torch.where(size > 0, value * size, 0.0), size]).to(self.device)
        dist.all_reduce(both)
        total, count = both.cpu()
        return torch.where(count > 0, total / count, 0.0).tolist(), count.tolist()

    def whole(self, model: nn.Module) -> dict[str, Tensor]:
        """All weights, put together; every process has to ask at the same time."""
        return {
            name: value.full_tensor() if hasattr(value, "full_tensor") else value
            for name, value in model.state_dict().items()
        }

    def collected(self, value: Any) -> list[Any]:
        """What every process has, by its number; all have to ask at the same time."""
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def whole_state(self, state: Any) -> Any:
        """A training's state as one process can write it; every process has to ask for it.

        Returns:
            The state; where FSDP splits tensors, these are put together, in the first process
            alone.
        """
        if self.kind != "fsdp":
            return state
        from sprat import shards  # few need it, so few load it

        return shards.whole(state, keep=self.first)

    def own_state(self, state: Any) -> Any:
        """Of what `whole_state` gave, as it was read from a file, the part of this process."""
        if self.kind != "fsdp":
            return state
        from sprat import shards

        return shards.split(state, self.mesh)

    def wait(self) -> None:
        """Until every process is here."""
        dist.barrier()


class Shared(Loader):
    """A loader that gives each process its part of every batch, each sample to one process.

    Where a batch has fewer samples than there are processes, one that has none computes with a
    sample of another, because all have to take every step; it counts for nothing.

    Args:
        loader: what is shared.
        group: the processes.

    Attributes:
        whole: the loader that gives every batch whole.
        counts: how many samples of the current batch each process has.
        share: the weight of this process's mean in the current batch, 1 where all have as many.
    """

    def __init__(self, loader: Loader, group: Group) -> None:
        vars(self).update(vars(loader))
        self.group, self.share, self.whole = group, 1.0, loader
        self.counts: list[int] = []

    def __iter__(self) -> Iterator[Batch]:
        count = len(self.data)
        order = torch.arange(count)
        if self.shuffle:
            order = torch.randperm(count, generator=self.generator)
        batches = self._cut(order)[: len(self)]
        # Random numbers may differ from process to process; the order must not.
        flat = self.group.agree(torch.cat(list(batches)))
        sizes = self.group.agree(torch.tensor([len(batch) for batch in batches])).tolist()
        for index in flat.split(sizes):
            parts = index.tensor_split(self.group.size)
            mine = parts[self.group.rank]
            self.counts = [len(part) for part in parts]
            self.share = len(mine) * self.group.size / len(index)
            yield self._batch(mine if len(mine) else index[:1])


def _shard(model: nn.Module, group: Group) -> "DeviceMesh":
    """Split the weights of each child, then what is left of the model; FSDP2 works in place.

    Returns:
        The processes among which they are split.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(group.device.type, (group.size,))
    lists = (nn.ModuleList, nn.ModuleDict)  # they have no forward of their own
    for child in _units(model, lists):
        if any(True for _ in child.parameters()):
            fully_shard(child, mesh=mesh)
    if not isinstance(model, lists):
        fully_shard(model, mesh=mesh)
        for name in ("encode", "decode"):  # called by phases in place of forward
            if callable(getattr(model, name, None)):
                register_fsdp_forward_method(model, name)
    return mesh


def _units(model: nn.Module, lists: tuple[type, ...]) -> Iterator[nn.Module]:
    for child in model.children():
        if isinstance(child, lists):
            yield from _units(child, lists)
        else:
            yield child
