"""An honest submission gets the same from every level: its values, its messages, its time."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import chapterhouse
from chapterhouse.errors import GradingError
from chapterhouse.grade import sandbox
from chapterhouse.grade.pool import Pool
from chapterhouse.grade.protocol import Call, Job, Limits, Outcome, Result, Status


@pytest.fixture(scope="module", params=sandbox.LEVELS)
def place(request: pytest.FixtureRequest) -> Iterator[Pool]:
    try:
        pool = sandbox.open(request.param)
    except GradingError as error:
        pytest.skip(f"this machine has no {request.param} sandbox: {error.found}")
    with pool:
        if pool.run(Job("answer = 1", (Call("answer"),))).status is Status.BROKEN:
            pytest.skip(f"this machine has no {request.param} sandbox")
        yield pool


def run(place: Pool, source: str, *calls: Call, **settings: object) -> Outcome:
    return place.run(Job(source, calls, **settings))  # type: ignore[arg-type]


def only(outcome: Outcome) -> Result:
    assert outcome.status is Status.OK, outcome
    (result,) = outcome.results
    return result


def test_values_go_in_and_come_out_as_they_are(place: Pool) -> None:
    values = (
        None,
        True,
        -7,
        0.1,
        "für €",
        b"\0\xff",
        [1, (2, {3})],
        {"a": {1: None}},
        np.eye(2, dtype=np.float32),
    )
    source = "def same(*values, last):\n    return [*values, last]\n"
    result = only(run(place, source, Call("same", values, (("last", torch.arange(3)),))))
    assert repr(result.value) == repr([*values, torch.arange(3)])


def test_an_object_answers_its_steps(place: Pool) -> None:
    source = (
        "class Counter:\n"
        "    def __init__(self, start): self.total = start; self.seen = []\n"
        "    def add(self, n, times=1):\n"
        "        self.total += n * times; self.seen.append(self.total); return self.seen\n"
    )
    steps = (("add", (1,), {}), ("add", (2,), {"times": 3}), ("total", (), {}))
    result = only(run(place, source, Call("Counter", (10,), steps=steps)))
    # Each step's value is what it was then, though all are one list that grew.
    assert result.value == [[11], [11, 17], 17]


def test_gradients_flow_to_the_inputs(place: Pool) -> None:
    source = "def grad(x):\n    (x**2).sum().backward()\n    return x.grad\n"
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert only(run(place, source, Call("grad", (x,)))).value.tolist() == [2.0, 4.0]


def test_a_training_loop_runs(place: Pool) -> None:
    source = (
        "import torch\n"
        "def train(x, y):\n"
        "    model = torch.nn.Linear(1, 1)\n"
        "    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)\n"
        "    for _ in range(200):\n"
        "        loss = torch.nn.functional.mse_loss(model(x), y)\n"
        "        optimizer.zero_grad(); loss.backward(); optimizer.step()\n"
        "    return model.weight\n"
    )
    x = torch.linspace(-1, 1, 20)[:, None]
    outcome = run(place, source, Call("train", (x, 3 * x), seed=1))
    assert abs(float(only(outcome).value) - 3) < 0.1
    assert outcome.stdout == ""


def test_a_seed_fixes_every_generator(place: Pool) -> None:
    source = (
        "import random, numpy, torch\n"
        "def draw():\n    return [random.random(), numpy.random.rand(), torch.rand(1).item()]\n"
    )
    calls = [Call("draw", seed=seed) for seed in (5, 5, 6)]
    outcome = run(place, source, *calls, imports=("random", "numpy", "torch"))
    first, second, third = (result.value for result in outcome.results)
    assert first == second
    assert all(a != b for a, b in zip(first, third, strict=True))


def test_inputs_are_fresh_and_changes_to_them_are_named(place: Pool) -> None:
    source = (
        "def spoil(keep, x, *more, y):\n"
        "    x += 1; more[0].append(1); y['k'] = 0\n"
        "    return x.sum()\n"
    )
    x, more, y = np.zeros(2), [0], {"k": 1}
    call = Call("spoil", (1, x, more), (("y", y),))
    outcome = run(place, source, call, call)
    assert [result.mutated for result in outcome.results] == [("x", "argument 3", "y")] * 2
    assert [result.value for result in outcome.results] == [2.0, 2.0]
    assert (x.tolist(), more, y) == ([0, 0], [0], {"k": 1})


def test_a_failure_names_its_type_message_and_line(place: Pool) -> None:
    source = "def f(x):\n    y = x + 1\n    return [1][y]\n"
    outcome = run(place, source, Call("f", (5,)), Call("f", (-1,)), Call("g"))
    failure = outcome.results[0].failure
    assert failure is not None
    assert (failure.type, failure.line) == ("IndexError", 3)
    assert outcome.results[1].value == 1
    missing = outcome.results[2].failure
    assert missing is not None
    assert missing.message == "the submission does not define g"


@pytest.mark.parametrize(
    ("source", "status", "kind", "line"),
    [
        ("x = 1\ny = (\n", Status.COMPILE, "SyntaxError", 2),
        ("x = 1\n1 / 0\n", Status.COMPILE, "ZeroDivisionError", 2),
        ("raise SystemExit\n", Status.COMPILE, "SystemExit", 1),
        ("import math\nimport os\n", Status.FORBIDDEN, "ForbiddenImport", 2),
        ("from urllib import request\n", Status.FORBIDDEN, "ForbiddenImport", 1),
        ("x = '\\ud800'\nprint(x)\n", Status.COMPILE, "UnicodeEncodeError", 2),
        ("\0", Status.COMPILE, "SyntaxError", None),
    ],
)
def test_source_that_does_not_load_says_why(
    place: Pool, source: str, status: Status, kind: str, line: int | None
) -> None:
    outcome = run(place, source, Call("f"))
    assert outcome.failure is not None
    assert (outcome.status, outcome.failure.type) == (status, kind)
    assert outcome.failure.line == line
    assert outcome.results == ()


def test_a_forbidden_import_says_what_is_allowed(place: Pool) -> None:
    outcome = run(place, "import os", Call("f"), imports=("math", "torch"))
    assert outcome.failure is not None
    assert outcome.failure.message == (
        "os may not be imported in this exercise; it allows math, torch"
    )


def test_an_import_in_a_call_is_forbidden_too(place: Pool) -> None:
    outcome = run(place, "def f():\n    import os\n", Call("f"), Call("f"))
    assert outcome.status is Status.FORBIDDEN
    assert len(outcome.results) == 2


def test_what_is_printed_comes_back_and_hurts_nothing(place: Pool) -> None:
    source = (
        "import sys, warnings\nprint('loaded')\n"
        "def f():\n    print('out')\n    print('err', file=sys.stderr)\n"
        "    warnings.warn('careful')\n    return 1\n"
    )
    outcome = run(place, source, Call("f"), imports=("sys", "warnings"))
    assert only(outcome).value == 1
    assert all(word in outcome.stdout for word in ("loaded\n", "out\n", "err\n", "careful"))


def test_a_notebook_s_habits_work(place: Pool) -> None:
    """Dataclasses, source inspection, pickling and a __main__ guard look the module up."""
    source = (
        "from __future__ import annotations\n"
        "import dataclasses, inspect, pickle, typing\n"
        "@dataclasses.dataclass\nclass Point:\n    x: int\n    y: typing.ClassVar[int] = 2\n"
        "def f():\n"
        "    point = pickle.loads(pickle.dumps(Point(1)))\n"
        "    return [point.x, inspect.getsource(f).splitlines()[0], ran]\n"
        "ran = False\n"
        "if __name__ == '__main__':\n    ran = True\n"
    )
    modules = ("dataclasses", "inspect", "pickle")
    assert only(run(place, source, Call("f"), imports=modules)).value == [1, "def f():", True]


def test_a_variable_is_a_value(place: Pool) -> None:
    assert only(run(place, "answer = [1, 2]", Call("answer"))).value == [1, 2]


def test_one_job_knows_nothing_of_another(place: Pool) -> None:
    first = "import torch\ntorch.left = 1\ntorch.set_default_dtype(torch.float64)\nf = 1\n"
    second = (
        "import torch\n"
        "def f():\n    return [hasattr(torch, 'left'), str(torch.get_default_dtype())]\n"
    )
    run(place, first, Call("f"))
    assert only(run(place, second, Call("f"))).value == [False, "torch.float32"]


def test_the_first_answers_stand_when_time_runs_out(place: Pool) -> None:
    source = "def f(n):\n    while n: pass\n    return 'in time'\n"
    limits = Limits(wall_s=1.0)
    outcome = run(place, source, Call("f", (0,)), Call("f", (1,)), Call("f", (0,)), limits=limits)
    assert outcome.status is Status.TIME
    assert [result.value for result in outcome.results] == ["in time"]
    assert outcome.wall_s < 5


def test_processor_time_is_limited(place: Pool) -> None:
    limits = Limits(wall_s=20, cpu_s=1)
    outcome = run(place, "def f():\n    while True: pass\n", Call("f"), limits=limits)
    assert outcome.status is Status.TIME
    assert 0.5 < outcome.cpu_s < 2.5
    assert outcome.failure is not None
    assert "processor" in outcome.failure.message


def test_inputs_that_cannot_cross_are_our_fault(place: Pool) -> None:
    outcome = run(place, "def f(x): return x", Call("f", (object(),)))
    assert outcome.status is Status.BROKEN
    assert outcome.failure is not None
    assert "inputs of f" in outcome.failure.message


def test_large_values_cross(place: Pool) -> None:
    x = torch.arange(2_000_000, dtype=torch.float64)  # 16 MB each way
    result = only(run(place, "def f(x): return x * 2", Call("f", (x,))))
    assert torch.equal(result.value, x * 2)


def test_several_jobs_at_once(place: Pool) -> None:
    outcomes: dict[int, Outcome] = {}

    def grade(n: int) -> None:
        outcomes[n] = run(place, f"def f(): return {n}", Call("f"))

    threads = [threading.Thread(target=grade, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [only(outcomes[n]).value for n in range(8)] == list(range(8))


def test_data_loader_workers_work_behind_the_wall(place: Pool) -> None:
    if place.level == "medium":
        pytest.skip("the medium level starts no processes")
    source = (
        "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
        "def f(x):\n"
        "    loader = DataLoader(TensorDataset(x), batch_size=2, num_workers=2)\n"
        "    return [batch[0] for batch in loader]\n"
    )
    result = only(run(place, source, Call("f", (torch.arange(6.0),))))
    assert torch.cat(result.value).tolist() == [0, 1, 2, 3, 4, 5]


def test_every_level_says_whether_it_is_there() -> None:
    levels = sandbox.probe()
    assert list(levels) == ["strong", "medium", "none"]
    assert levels["none"] == (True, "")
    assert all(there or reason for there, reason in levels.values())
    with sandbox.open(warm=()) as strongest:
        assert strongest.level == next(name for name, (there, _) in levels.items() if there)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="user namespaces are Linux's")
def test_an_ordinary_user_has_the_strong_level_too() -> None:
    """The same as any user: no privilege, and no control group to make."""
    unshare = shutil.which("unshare")
    command = [str(unshare), "--user", "--map-user=1000", "--map-group=1000"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets users make no namespaces")
    script = (
        "import os, sys\n"
        f"sys.path.insert(0, {str(Path(chapterhouse.__file__).parents[1])!r})\n"
        "from chapterhouse.grade.pool import Pool\n"
        "from chapterhouse.grade.protocol import *\n"
        "assert os.geteuid() == 1000\n"
        "source = 'import os\\ndef f(x): return [os.getuid(), x + 1, os.listdir()]'\n"
        "with Pool('strong', use_cgroups=False) as pool:\n"
        "    job = Job(source, (Call('f', (1.5,)),), imports=('os',))\n"
        "    outcome = pool.run(job)\n"
        "print(outcome.status.value, outcome.level, outcome.results[0].value)\n"
    )
    done = subprocess.run([*command, sys.executable, "-c", script], capture_output=True, text=True)
    # The scratch folder is empty, but for the environment where that itself lies below /tmp.
    homes = {Path(sys.prefix), Path(sys.base_prefix), Path(chapterhouse.__file__)}
    below = sorted({home.parts[2] for home in homes if home.is_relative_to("/tmp")})
    assert done.stdout == f"ok strong [65534, 2.5, {below}]\n", done.stderr
