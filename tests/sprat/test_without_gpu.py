"""What is made for a GPU, as far as it can be seen without one: half precision and prefetching."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sprat as sp
from sprat.device import choose_precision
from sprat.loader import Loader, _pinned, fits

CUDA = torch.device("cuda")  # a name; nothing is ever put there


def learner(pictures: sp.Data, *callbacks: sp.Callback, scale: float | None = None) -> sp.Learner:
    """With a loss scale as for fp16 on a GPU; autocast and the scaler work on the CPU too."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1),
        nn.Linear(196, 3),
    )  # fmt: skip
    learn = sp.Learner(
        sp.Task(sp.Image(channels=1), sp.Label(pictures.classes)),
        (pictures[:72], pictures[72:]), model=model, batch_size=16, device="cpu", lr=0.01,
        callbacks=callbacks, generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    if scale is not None:
        learn.precision = choose_precision("fp16", CUDA)
        learn.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=4)
    return learn


class Watch(sp.Callback):
    """What the model puts out, and the gradients as callbacks and optimisers see them."""

    after = (sp.GradientClip,)

    def __init__(self) -> None:
        self.types: set[torch.dtype] = set()
        self.norms: list[float] = []

    def step_end(self, learn: sp.Learner) -> None:
        self.types.add(learn.state["y_hat"].dtype)

    def backward_end(self, learn: sp.Learner) -> None:
        grads = [p.grad for p in learn.model.parameters() if p.grad is not None]
        self.norms.append(float(nn.utils.get_total_norm(grads)))


@pytest.mark.parametrize("name", ["alone", "clipping", "accumulating"])
def test_half_precision_trains_as_full_precision_does(pictures: sp.Data, name: str) -> None:
    found = []
    for scale in (None, 2.0**12):
        others = {"alone": [], "clipping": [sp.GradientClip(0.3)], "accumulating": [
            sp.Accumulate(2), sp.EMA(0.9)
        ]}[name]  # fmt: skip
        watch = Watch()
        learn = learner(pictures, *others, watch, scale=scale)
        torch.manual_seed(4)
        learn.fit(3)
        found.append((watch, learn))
    (full, exact), (half, scaled) = found
    assert full.types == {torch.float32}
    assert half.types == {torch.float16}
    assert {p.dtype for p in scaled.model.parameters()} == {torch.float32}
    assert half.norms == pytest.approx(full.norms, rel=0.1)  # unscaled, whoever looks
    if name == "clipping":
        assert max(half.norms) <= 0.3 * 1.01
    assert scaled.history.losses == pytest.approx(exact.history.losses, rel=0.05, abs=0.01)
    assert scaled.scaler.get_scale() > 2.0**12  # no step overflowed, so it grew
    assert not torch.is_autocast_enabled("cpu")


def test_a_scaled_training_is_taken_up_exactly(pictures: sp.Data, tmp_path: Path) -> None:
    """Between two growths of the scale, and after steps that overflowed and were left out."""

    class Stop(sp.Callback):
        steps = 0

        def step_end(self, learn: sp.Learner) -> None:
            self.steps += learn.phase.trains
            if self.steps == 8:
                raise KeyboardInterrupt

    whole = learner(pictures, scale=2.0**40)
    torch.manual_seed(4)
    whole.fit(3)
    first = learner(pictures, scale=2.0**40)
    torch.manual_seed(4)
    with pytest.raises(KeyboardInterrupt):
        first.fit(3, callbacks=[sp.Checkpoint(tmp_path, every=1), Stop()])
    second = learner(pictures, scale=2.0**10)
    second.resume(tmp_path)
    second.fit(3, callbacks=[sp.Checkpoint(tmp_path, every=1)])
    assert second.history.losses == whole.history.losses
    assert second.scaler.state_dict() == whole.scaler.state_dict()
    assert whole.scaler.get_scale() < 2.0**40
    weights = second.model.state_dict()
    assert all(torch.equal(v, weights[n]) for n, v in whole.model.state_dict().items())


def events(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Any]]:
    """What a loader for a GPU does, and the batches; copies are only written down."""
    done: list[str] = []

    def pinned(value: Any) -> Any:
        if value is not None and value.ndim == 2:
            done.append("pin")
        return value

    def moved(value: Any, device: torch.device) -> Any:
        if value is not None and value.ndim == 2:
            done.append(f"copy to {device}")
        return value

    monkeypatch.setattr("sprat.loader._pinned", pinned)
    monkeypatch.setattr("sprat.loader.moved", moved)
    loader.device = CUDA
    batches = []
    for batch in loader:
        done.append("step")
        batches.append(batch)
    return done, batches


@pytest.mark.parametrize("count", [4, 9, 12])
def test_the_next_batch_is_on_its_way_before_a_step(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sp.Data(torch.arange(2.0 * count).reshape(count, 2), torch.arange(count))
    loader = Loader(data, 4, shuffle=True, generator=torch.Generator().manual_seed(2))
    same = copy.copy(loader)
    same.generator = torch.Generator().manual_seed(2)
    done, batches = events(loader, monkeypatch)
    fetch = ["pin", "copy to cuda"]
    assert done == fetch + (len(loader) - 1) * [*fetch, "step"] + ["step"]
    for batch, plain in zip(batches, same, strict=True):
        assert torch.equal(batch.x, plain.x)
        assert torch.equal(batch.y, plain.y)
    assert torch.equal(loader.generator.get_state(), same.generator.get_state())


def test_what_is_on_another_device_is_not_pinned() -> None:
    there = torch.zeros(2, device="meta")
    assert _pinned((there, ["text"]))[0] is there


@pytest.mark.parametrize(("free", "expected"), [(31_999, False), (32_000, True)])
def test_data_stays_on_a_gpu_of_whose_free_memory_it_takes_a_quarter(
    free: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (free, 10 * free))
    data = sp.Data(torch.zeros(1000), torch.zeros(500, 2).reshape(1000))  # 2 × 4,000 bytes
    assert fits(data, CUDA) is expected
    assert not fits(data, torch.device("cpu"))
