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
from safetensors.torch import save_file
from torch import nn

import sprat as sp


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


def drawing() -> sp.Learner:
    """A learner that draws in every step, other numbers in every process."""
    y = torch.arange(50) % 3
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(5 + int(os.environ["RANK"]))
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    task = sp.Task(sp.Continuous(6), sp.Label(["a", "b", "c"]))
    data = sp.Data(x, y)
    return sp.Learner(
        task, (data, data), model=model, batch_size=8, device="cpu", distributed="ddp",
        progress=False,
    )  # fmt: skip


def go_on(folder: Path) -> dict[str, bool]:
    """Whether two epochs, broken off in the second and taken up, are as if nothing had been."""
    whole = drawing()
    whole.fit(2)
    broken = drawing()
    with suppress(EndedError):
        broken.fit(2, callbacks=[sp.Checkpoint(folder, every=2), End(11)])
    torch.manual_seed(99)
    taken_up = drawing()
    before = taken_up.resume(folder)
    taken_up.fit(2, callbacks=[sp.Checkpoint(folder, every=2)])
    weights = taken_up.model.state_dict()
    return {
        "in mid-epoch": before is not None and (before.epoch, before.step) == (1, 3),
        "losses": taken_up.history.losses == whole.history.losses,
        "rows": taken_up.history.rows == whole.history.rows,
        "weights": all(torch.equal(v, weights[n]) for n, v in whole.model.state_dict().items()),
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
    found = go_on(folder / "broken")
    (folder / f"broken-{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
