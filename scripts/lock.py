"""Renew the locks with uv: `make lock`, or `make lock UPGRADE=1` for the newest versions.

One lock serves every Python of pyproject and every system: markers stand where they differ. Versions
that the lock has stay unless an upgrade is asked for.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEV, BENCH, TORCH = (ROOT / f"requirements-{name}.lock" for name in ("dev", "bench", "torch"))
# torch and what it brings for a GPU: setup.sh takes the build that suits the machine.
TORCHS_OWN = re.compile(r"(torch|triton|nvidia-|cuda-)")
DEV_HEADER = """\
# The development environment, whole, pinned and hashed: what scripts/setup.sh installs, for every
# Python that the README names. torch stands in requirements-torch.lock. Renew it with: make lock
"""
BENCH_HEADER = """\
# What benchmarks/ measures against, beside requirements-dev.lock. Renew it with: make lock
"""


def main(upgrade: bool) -> None:
    """Resolve both locks and write them."""
    dev = resolve("dev", DEV, [TORCH], upgrade)
    DEV.write_text(DEV_HEADER + "".join(dev.values()))
    bench = resolve("bench", BENCH, [TORCH, DEV], upgrade)
    BENCH.write_text(BENCH_HEADER + "".join(v for k, v in bench.items() if k not in dev))
    print(f"{DEV.name}: {len(dev)} entries; {BENCH.name}: {len(bench.keys() - dev.keys())} more")


def resolve(extra: str, lock: Path, fixed: list[Path], upgrade: bool) -> dict[str, str]:
    """The entries for one extra: their first line, and all their lines."""
    command = [_uv(), "pip", "compile", "pyproject.toml", "--extra", extra, "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-header", "--no-emit-index-url"]
    # One version for every Python where there is one: then all of them are tested with the same.
    command += ["--fork-strategy", "fewest", "--output-file", str(lock)]
    command += [f"--constraint={path.name}" for path in fixed] + ["--upgrade"] * upgrade
    before = lock.read_text() if lock.exists() else ""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        lock.write_text(before)
        sys.exit(f"No lock suits every Python.\n{done.stderr}  fix: loosen what pyproject.toml asks")
    entries = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)
    kept = [entry for entry in entries if "==" in entry and not TORCHS_OWN.match(entry)]
    return {entry.split("\n", 1)[0]: entry for entry in kept}


def _uv() -> str:
    found = shutil.which("uv")
    if not found:
        sys.exit("uv was not found, and only uv resolves for several Pythons.\n  fix: pip install uv")
    return found


if __name__ == "__main__":
    main("--upgrade" in sys.argv[1:])
