"""Two processes give the weights, the history and the metrics of one."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import sprat as sp
from sprat import files
from sprat.checkpoint import states
from sprat.distributed import Group, Shared, join
from sprat.errors import DataError, TaskError, TrainingError
from sprat.loader import Loader

SCRIPT = Path(__file__).parent / "distributed" / "train.py"


def script() -> ModuleType:
    """The script as a module, so that one process runs the same training."""
    spec = importlib.util.spec_from_file_location("distributed_train", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What two processes leave behind, and what they print."""
    folder = tmp_path_factory.mktemp("together")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST"))},
        "SPRAT_PROGRESS": "plain", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
        "PYTHONPATH": str(Path(sp.__file__).parents[1]),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2",
        "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", str(SCRIPT), str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


@pytest.fixture(scope="module")
def alone() -> tuple[sp.Learner, dict[str, float]]:
    learn, measured = script().fit(None)
    return learn, measured


def read(folder: Path, kind: str, rank: int) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / f"{kind}-{rank}.json").read_text())
    return report


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_weights_equal_those_of_one_process(
    kind: str, together: tuple[Path, str], alone: tuple[sp.Learner, dict[str, float]]
) -> None:
    expected = alone[0].model.state_dict()
    for rank in (0, 1):
        weights = load_file(together[0] / f"{kind}-{rank}.safetensors")
        assert set(weights) == set(expected)
        for name, value in expected.items():
            torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_history_and_metrics_equal_those_of_one_process(
    kind: str, together: tuple[Path, str], alone: tuple[sp.Learner, dict[str, float]]
) -> None:
    learn, measured = alone
    for rank in (0, 1):
        report = read(together[0], kind, rank)
        assert report["losses"] == pytest.approx(learn.history.losses, rel=1e-4)
        for row, expected in zip(report["rows"], learn.history.rows, strict=True):
            assert row == pytest.approx(expected, rel=1e-4)
        assert report["measured"] == pytest.approx(measured, rel=1e-4)
        assert report["measured"]["seen"] == 25.025  # 25 samples, 25 of them different
        assert report["predicted"] == 25


@pytest.mark.slow
def test_the_first_process_alone_shows_progress_and_writes(together: tuple[Path, str]) -> None:
    folder, printed = together
    assert [read(folder, "ddp", rank)["shown"] for rank in (0, 1)] == [True, False]
    assert printed.count("train loss") == 2  # one table a fit, of two fits
    assert len(list((folder / "states").glob("state-*.safetensors"))) == 2
    for kind in ("ddp", "fsdp"):
        loaded = sp.load(folder / f"{kind}-export")
        weights = load_file(folder / f"{kind}-0.safetensors")
        assert type(loaded.model).__name__ == "MLP"
        for name, value in loaded.model.state_dict().items():
            assert torch.equal(value, weights[name])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_an_interrupted_training_goes_on_exactly(kind: str, together: tuple[Path, str]) -> None:
    """In the middle of an epoch and of a group of batches, each process with its own numbers."""
    for rank in (0, 1):
        found = read(together[0], f"{kind}-broken", rank)
        assert len(found) == 4
        assert all(found.values()), found


@pytest.mark.slow
def test_tensors_split_in_any_way_come_back(together: tuple[Path, str]) -> None:
    for rank in (0, 1):
        found = read(together[0], "round_trip", rank)
        assert len(found) == 4
        assert all(found.values()), found


@pytest.mark.slow
def test_what_is_split_is_whole_in_the_file(together: tuple[Path, str]) -> None:
    state = files.read(states(together[0] / "fsdp-broken")[-2][1])
    shapes = {name: tuple(value["whole"].shape) for name, value in state["model"].items()}
    assert shapes == {"0.weight": (8, 6), "0.bias": (8,), "2.weight": (3, 8), "2.bias": (3,)}
    gathered = state["callbacks"]["Accumulate"]["gradients"]  # it was broken off between two moves
    assert {name: tuple(value["whole"].shape) for name, value in gathered.items()} == shapes
    average = state["callbacks"]["EMA"]["other"]["2.weight"]
    moments = state["optimizers"]["main"]["state"]
    assert average["split"] == 0
    assert [tuple(moments[i]["exp_avg"]["whole"].shape) for i in range(4)] == [*shapes.values()]
    assert all(bool(moments[i]["exp_avg"]["whole"].any()) for i in range(4))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_a_state_of_two_processes_is_not_for_one(kind: str, together: tuple[Path, str]) -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    data = sp.Data(torch.zeros(4, 6), torch.zeros(4, dtype=torch.int64))
    learn = sp.Learner(model, data, loss=nn.functional.cross_entropy, device="cpu")
    folder = together[0] / f"{kind}-broken"
    with pytest.raises(TrainingError, match="by 2 processes; here there are 1"):
        learn.resume(folder)
    other = {"ddp": "fsdp", "fsdp": "ddp"}[kind]
    learn.group = Pretended(0, 2, kind=other)
    with pytest.raises(TrainingError, match=f"distributed='{kind}'; this one has '{other}'"):
        learn.resume(folder)


def test_alone_it_says_how_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    data = sp.Data(torch.zeros(4, 2), torch.zeros(4, 1))
    with pytest.raises(TrainingError, match="this one is alone") as caught:
        sp.Learner(nn.Linear(2, 1), (data,), distributed="ddp")
    assert "torchrun --standalone" in caught.value.fix
    with pytest.raises(TaskError, match="distributed is 'dp'"):
        join("dp")


def test_fsdp_refuses_optimisers_that_hold_whole_weights() -> None:
    model = nn.Linear(2, 1)
    optimizer = {"main": torch.optim.SGD(model.parameters(), lr=0.1)}
    data = sp.Data(torch.zeros(4, 2), torch.zeros(4, 1))
    with pytest.raises(TaskError, match="hold them whole"):
        sp.Learner(model, (data,), optimizer=optimizer, distributed="fsdp")


class Pretended(Group):
    """One process of several, with nobody to talk to: the order is its own."""

    def __init__(self, rank: int, size: int, *, kind: str = "ddp") -> None:
        self.kind, self.device = kind, torch.device("cpu")
        self.rank, self.size = rank, size

    def agree(self, value: torch.Tensor) -> torch.Tensor:
        return value


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [12, 17, 21])
def test_every_sample_goes_to_one_process_and_shares_add_up(size: int, count: int) -> None:
    data = sp.Data(torch.arange(count)[:, None].float())
    seen: list[list[int]] = []
    weights = torch.zeros(len(Loader(data, 4)))
    for rank in range(size):
        loader = Shared(
            Loader(data, 4, shuffle=True, generator=torch.Generator().manual_seed(1)),
            Pretended(rank, size),
        )
        mine = []
        for i, batch in enumerate(loader):
            assert len(batch) == max(1, loader.counts[rank])
            mine += batch.x[: loader.counts[rank], 0].int().tolist()
            weights[i] += loader.share / size
        assert i + 1 == len(loader)  # all take as many steps
        seen.append(mine)
    assert sorted(i for mine in seen for i in mine) == list(range(count))
    torch.testing.assert_close(weights, torch.ones_like(weights))


def test_a_plain_loader_that_shares_nothing_is_named() -> None:
    with pytest.raises(DataError, match="gives every process the same samples"):
        Pretended(0, 2).shared({"train": [torch.zeros(2, 2)]})
