"""What torchrun starts in two processes: trainings by DDP and by FSDP, written to files.

    torchrun --standalone --nproc-per-node=2 train.py FOLDER

The test runs `fit` in one process too and compares.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

import sprat as sp
from sprat import shards


def fit(distributed: str | None, folder: Path | None = None) -> tuple[sp.Learner, dict[str, float]]:
    """Train on 81 samples in batches of 16, so that the last batch of an epoch has one sample."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(106) % 3
    x = torch.randn(106, 6, generator=generator) + nn.functional.one_hot(y, 6) * 2
    rank = int(os.environ.get("RANK", 0))
    torch.manual_seed(5 + rank)  # every process starts with weights of its own
    model = sp.models.MLP(6, 3, [8])
    names = ["a", "b", "c"]
    learn = sp.Learner(
        sp.Task(sp.Continuous(6), sp.Label(names)),
        (sp.Data(x[:81], y[:81]), sp.Data(x[81:], y[81:])),  # 25 to validate with: 13 and 12
        model=model, batch_size=16, lr=0.02, device="cpu", distributed=distributed,
        metrics=[sp.metrics.accuracy, Seen()], generator=torch.Generator().manual_seed(3),
        callbacks=[sp.Checkpoint(folder / "states")] if folder and distributed == "ddp" else [],
    )  # fmt: skip
    learn.fit(3)
    if folder is not None:
        learn.export(folder / f"{distributed}-export")
    return learn, learn.evaluate()


class Seen(sp.Metric):
    """How many samples it was shown, and how many different ones."""

    def __init__(self) -> None:
        super().__init__("seen")
        self.reset()

    def reset(self) -> None:
        self.rows: list[torch.Tensor] = []

    def update(self, y_hat: torch.Tensor, y: torch.Tensor) -> None:
        self.rows.append(y_hat.detach())

    def value(self) -> float:
        rows = torch.cat(self.rows)
        return len(rows) + len(rows.unique(dim=0)) / 1000


class EndedError(Exception):
    """As if the process had ended."""


class End(sp.Callback):
    """After so many training steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step_end(self, learn: sp.Learner) -> None:
        self.left -= learn.phase.trains
        if self.left < 0:
            raise EndedError


def drawing(kind: str) -> sp.Learner:
    """A learner that draws in every step, other numbers in every process."""
    y = torch.arange(50) % 3
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(5 + int(os.environ["RANK"]))
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    task = sp.Task(sp.Continuous(6), sp.Label(["a", "b", "c"]))
    data = sp.Data(x, y)
    return sp.Learner(
        task, (data, data), model=model, batch_size=8, device="cpu", distributed=kind,
        progress=False, callbacks=[sp.EMA(0.9), sp.GradientClip(0.5), sp.Accumulate(2)],
    )  # fmt: skip


def weights_of(learn: sp.Learner) -> dict[str, torch.Tensor]:
    """All of them, whole."""
    assert learn.group is not None
    return learn.group.whole(learn.model)


def go_on(kind: str, folder: Path) -> dict[str, bool]:
    """Whether two epochs, broken off in the second and taken up, are as if nothing had been."""
    whole = drawing(kind)
    whole.fit_one_cycle(2, 0.01)
    broken = drawing(kind)
    with suppress(EndedError):
        broken.fit_one_cycle(2, 0.01, callbacks=[sp.Checkpoint(folder, every=3), End(13)])
    torch.manual_seed(99)
    taken_up = drawing(kind)
    before = taken_up.resume(folder)
    taken_up.fit_one_cycle(2, 0.01, callbacks=[sp.Checkpoint(folder, every=3)])
    weights = weights_of(taken_up)
    return {
        "in mid-epoch": before is not None and (before.epoch, before.step) == (1, 5),
        "losses": taken_up.history.losses == whole.history.losses,
        "rows": taken_up.history.rows == whole.history.rows,
        "weights": all(torch.equal(v, weights[n]) for n, v in weights_of(whole).items()),
    }


def round_trip() -> dict[str, bool]:
    """Whether tensors split in any way, deep in a state, are put together and split as before."""
    mesh = init_device_mesh("cpu", (2,))
    rank = dist.get_rank()
    full = torch.arange(15.0).reshape(3, 5)
    ways = [Shard(0), Shard(1), Replicate()]
    split = [distribute_tensor(full, mesh, [way], src_data_rank=None) for way in ways]
    there = shards.whole({"a": [1, ("b", split)], 2: full}, keep=rank == 0)
    message = [there]
    dist.broadcast_object_list(message)  # what the first process wrote, read by all
    back = shards.split(message[0], mesh)
    again = back["a"][1][1]
    return {
        "only the first process keeps it": [p["whole"] is None for p in there["a"][1][1]]
        == [rank == 1] * 3,
        "the rest as it is": back["a"][:1] == [1] and torch.equal(back[2], full),
        "placements": [a.placements for a in again] == [b.placements for b in split],
        "values": all(
            torch.equal(a.to_local(), b.to_local()) for a, b in zip(again, split, strict=True)
        ),
    }


def main(folder: Path) -> None:
    for kind in ("ddp", "fsdp"):
        learn, measured = fit(kind, folder)
        assert learn.group is not None
        rank = learn.group.rank
        weights = {k: v.detach().clone() for k, v in learn.group.whole(learn.model).items()}
        save_file(weights, folder / f"{kind}-{rank}.safetensors")
        report = {"rows": learn.history.rows, "losses": learn.history.losses, "measured": measured}
        y_hat, _ = learn.predictions()
        report["predicted"] = len(y_hat)
        report["shown"] = learn.progress
        (folder / f"{kind}-{rank}.json").write_text(json.dumps(report))
        found = go_on(kind, folder / f"{kind}-broken")
        (folder / f"{kind}-broken-{rank}.json").write_text(json.dumps(found))
    (folder / f"round_trip-{rank}.json").write_text(json.dumps(round_trip()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
