"""How long ``import sprat`` takes beside ``import torch``.

Each way is a new interpreter; the ways take turns. The promise is at most 1.1 times torch alone.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

from report import save, spread

WAYS = {
    "torch": "import torch",
    "torch and sprat": "import torch, sprat",
    "torch and sprat's learner": "import torch, sprat; sprat.Learner",
    "torch and all names of sprat": "import torch, sprat; [getattr(sprat, n) for n in dir(sprat)]",
}


def run_s(code: str) -> tuple[float, float]:
    """Wall and processor seconds of a new interpreter that runs some code."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    wall_s, after = time.perf_counter() - began, os.times()
    return wall_s, (after[2] + after[3]) - (before[2] + before[3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="how often each way takes its turn")
    rounds = parser.parse_args().rounds
    for code in WAYS.values():
        run_s(code)  # so that nobody pays for a cold disk
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, code in WAYS.items():
            times[way].append(run_s(code))
    base = times["torch"]
    rows = {
        way: {
            "seconds": spread([wall for wall, _ in taken]),
            "processor_seconds": round(statistics.median(cpu for _, cpu in taken), 3),
            "ratio": spread([cpu / b for (_, cpu), (_, b) in zip(taken, base, strict=True)]),
        }
        for way, taken in times.items()
    }
    for way, row in rows.items():
        print(f"{way:30} {row['seconds']['median']:6.2f} s  ratio {row['ratio']['median']:.3f}")
    what = "seconds to start Python and import; the ratio is of processor time to torch alone"
    save("import_time", what, rows, ["torch", "sprat"])


if __name__ == "__main__":
    main()
