"""How long grading one submission takes, by what stands around it.

Twenty answers to three torch exercises, one after the other, on one core at a time:

- ``strong + judge``: the full sandbox, the reference run on the same fresh inputs, values judged;
- ``strong``, ``medium``: one job in the sandbox, without reference and judge;
- ``fork``: one job in a forked process without a wall, what a warmed server alone costs;
- ``interpreter``: a new Python that imports torch for each job, what a kernel for each submission
  costs at the least.

The five take turns in each round, so that a busy machine slows all of them; processor time hardly
depends on what else runs, and stands beside. The figure of a row is the median over all rounds;
ratios are of medians. Prints a table and stores it as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from chapterhouse.course import Course
from chapterhouse.errors import GradingError
from chapterhouse.exercise.folder import Exercise, load_all
from chapterhouse.grade import sandbox
from chapterhouse.grade.grader import Grader
from chapterhouse.grade.judge import calls
from chapterhouse.grade.pool import Pool
from chapterhouse.grade.protocol import Job, Limits

EXERCISES = ("04_sgd_step", "04_cross_entropy", "04_softmax_gradient")
SUBMISSIONS = 20
# Those that run to their end: a loop that is ended at its limit measures the limit.
ENDINGS = ("ac_", "pa_", "wa_", "re_")
RESULTS = Path(__file__).parent / "results"


def answers(course: Course) -> list[tuple[Exercise, str]]:
    """Twenty answers, taken from each exercise in turn."""
    by_exercise = []
    for exercise in load_all(course, ids=EXERCISES):
        files = [path for path in exercise.submissions() if path.name.startswith(ENDINGS)]
        by_exercise.append([(exercise, path.read_text()) for path in files])
    ordered = []
    for turn in range(SUBMISSIONS):
        for rows in by_exercise:
            ordered.append(rows[turn % len(rows)])
    return ordered[:SUBMISSIONS]


def job(exercise: Exercise, source: str) -> Job:
    limits = Limits(**dict(exercise.limits))  # type: ignore[arg-type]
    return Job(source, calls(exercise.cases(1)), limits, exercise.imports)


def in_interpreter(source: str) -> None:
    """Import torch anew and run the source; without inputs, so it is less than a grader does."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "import torch\n" + source]
    subprocess.run(command, env=environment, capture_output=True, check=False)


def measure(rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of each single answer, and processor seconds an answer of each round, by way."""
    work = answers(Course.find(Path(__file__).parent))
    jobs = [job(exercise, source) for exercise, source in work]
    wall: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        ways: dict[str, list[Callable[[], Any]]] = {
            # It takes seconds: a few of them are enough.
            "interpreter": [partial(in_interpreter, source) for _, source in work[:3]]
        }
        for level, name in (("strong", "strong"), ("medium", "medium"), ("none", "fork")):
            pool = _pool(level)
            if pool is None:
                continue
            stack.callback(pool.close)
            ways[name] = [partial(pool.run, one) for one in jobs]
            if level == "strong":
                grader = Grader(list({e.id: e for e, _ in work}.values()), pool)
                grader.warm()
                ways["strong + judge"] = [
                    partial(grader.grade_source, e, source, seed=seed)
                    for seed, (e, source) in enumerate(work)
                ]
        for _ in range(rounds):
            for name, runs in ways.items():
                grader._references.clear()
                before = _processor_s()
                for run in runs:
                    began = time.perf_counter()
                    run()
                    wall.setdefault(name, []).append(time.perf_counter() - began)
                cpu.setdefault(name, []).append((_processor_s() - before) / len(runs))
    return wall, cpu


def _pool(level: str) -> Pool | None:
    try:
        return sandbox.open(level)
    except GradingError as error:
        print(error, file=sys.stderr)
        return None


def _processor_s() -> float:
    """Processor seconds of this process and of all below it, those that have ended too."""
    me = psutil.Process()
    return sum(
        times.user + times.system + times.children_user + times.children_system
        for times in (process.cpu_times() for process in (me, *me.children(recursive=True)))
    )


def summary(wall: dict[str, list[float]], cpu: dict[str, list[float]]) -> dict[str, Any]:
    medians = {name: statistics.median(values) for name, values in wall.items()}
    rows = {
        name: {
            "median_ms": round(1000 * medians[name], 1),
            "fastest_ms": round(1000 * min(values), 1),
            "processor_ms": round(1000 * statistics.median(cpu[name]), 1),
            "answers": len(values),
            "times_faster_than_interpreter": round(medians["interpreter"] / medians[name], 1),
        }
        for name, values in wall.items()
    }
    return {
        "what": "milliseconds to grade one answer to a torch exercise",
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "exercises": EXERCISES,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each way takes its turn")
    parser.add_argument("--json", type=Path, default=RESULTS / "grading_speed.json")
    arguments = parser.parse_args()
    result = summary(*measure(arguments.rounds))
    print(f"{'':16} {'median':>9} {'fastest':>9} {'processor':>9} {'ratio':>7}")
    for name, row in sorted(result["rows"].items(), key=lambda item: item[1]["median_ms"]):
        figures = (row["median_ms"], row["fastest_ms"], row["processor_ms"])
        ratio = row["times_faster_than_interpreter"]
        print(f"{name:16}", *(f"{figure:6.1f} ms" for figure in figures), f"{ratio:6.1f}×")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
