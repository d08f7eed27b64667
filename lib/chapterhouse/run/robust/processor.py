"""The processor at hand and the versions that compute on it, as a child process tells them.

torch chooses its instruction set when it is loaded, so it is asked in a process of its own, and
this one never imports it. A course whose environment has no torch is told so: it has no
instruction sets to choose from.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from chapterhouse.errors import RunError
from chapterhouse.run.origin import CHOOSING, model_and_flags

# What libraries look at to choose their code.
_FLAGS = (
    "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl",
    "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16",
    "asimd", "asimddp", "bf16", "sve", "sve2",
)  # fmt: skip
_QUESTION = """
import json
told = {}
try:
    import numpy
    told["numpy"] = numpy.__version__
except ImportError:
    pass
try:
    import torch
    told["torch"] = torch.__version__
    told["capability"] = torch.backends.cpu.get_cpu_capability()
except ImportError:
    pass
print(json.dumps(told))
"""
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Processor:
    """What computes here: `capability` is torch's name of its instruction set, empty without torch.

    `versions` has Python, and torch and numpy where they are installed.
    """

    model: str
    capability: str = ""
    flags: tuple[str, ...] = ()
    cores: int = 1
    versions: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What is kept of it beside results."""
        return {
            "model": self.model,
            "capability": self.capability,
            "flags": list(self.flags),
            "cores": self.cores,
        }


def ask() -> Processor:
    """The processor at hand, and what torch would choose on it if nobody told it.

    Raises:
        RunError: this interpreter cannot import torch or numpy, although they are installed.
    """
    env = {name: value for name, value in os.environ.items() if name not in CHOOSING}
    answer = subprocess.run(
        [sys.executable, "-c", _QUESTION],
        env=env,
        cwd=os.sep,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RunError(
            f"{sys.executable} cannot say what it computes with: {last}.",
            fix=f'run {sys.executable} -c "import numpy, torch" and mend what it says',
        )
    told = json.loads(answer.stdout.splitlines()[-1])
    model, flags = model_and_flags()
    return Processor(
        model=model,
        capability=told.pop("capability", ""),
        flags=tuple(flag for flag in _FLAGS if flag in flags),
        cores=os.cpu_count() or 1,
        versions={"python": platform.python_version(), **told},
    )
