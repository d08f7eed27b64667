"""Hidden modules: at every moment ``sys.modules`` names what a cold process would have loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chapterhouse.run.warm import MODULES

# Packages whose files need one another in the ways that real ones do.
FILES = {
    "alpha/__init__.py": "from . import one\nfrom .two import VALUE\n",
    "alpha/one.py": "import alpha\nimport beta.part\n",
    "alpha/two.py": "VALUE = 2\ndef later():\n    from alpha import lazy\n    return lazy.NAME\n",
    "alpha/lazy.py": "import gamma\nNAME = __name__\n",
    "alpha/unused.py": "import delta\n",
    "beta/__init__.py": "import sys, types\n"
    "sys.modules['beta.made'] = made = types.ModuleType('beta.made')\n",
    "beta/part.py": "import importlib\nsub = importlib.import_module('.sub', 'beta')\n",
    "beta/sub.py": "import json.tool\n",
    "gamma.py": "import alpha.two\n",
    "delta.py": "import beta\nimport sys\nsys.modules['epsilon'] = sys.modules[__name__]\n",
}
LOADED = ["gamma", "alpha.unused", "alpha", "alpha.lazy", "beta", "delta"]
PROGRAMS = {
    "nothing": "pass",
    "a package": "import alpha",
    "a part": "import beta.part; print(beta.part.sub.__spec__.name, beta.sub is beta.part.sub)",
    "a parent": "import beta; print(hasattr(beta, 'part'), hasattr(beta, 'sub'))",
    "a name": "from alpha import VALUE; print(VALUE)",
    "a lazy one": "import alpha; before = hasattr(alpha, 'lazy'); "
    "print(before, alpha.two.later(), hasattr(alpha, 'lazy'))",
    "a loop": "import gamma; import alpha.lazy; print(alpha.lazy.gamma is gamma)",
    "an alias": "import delta; print(sys.modules['epsilon'] is delta)",
    "a search": "import importlib.util as u; s = u.find_spec('alpha'); print(s.origin[-17:], "
    "s.has_location, 'alpha' in sys.modules, u.find_spec('alpha.nothing'))",
    "a missing one": "try:\n    import alpha.nothing\nexcept ImportError as e: print(e, e.name)",
    "all": "import alpha.unused, gamma, delta, alpha.lazy",
}
HIDE = """
from chapterhouse.run.preloaded import Preloaded
import importlib.util
preloaded = Preloaded()
preloaded.load({modules!r})
preloaded.hide()
"""


def outcome(folder: Path, program: str, *, modules: list[str] | None) -> tuple[str, set[str]]:
    """What a program prints, and what is in ``sys.modules`` after it."""
    hide = "import importlib.util, chapterhouse.run.preloaded\n"
    if modules is not None:
        hide = HIDE.format(modules=modules)
    text = f"import json, sys\n{hide}\n{program}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *printed, names = done.stdout.splitlines()
    return "\n".join(printed), set(json.loads(names))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("packages")
    for name, text in FILES.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    return made


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_warm_process_does_and_shows_what_a_cold_one_does(folder, program) -> None:
    cold = outcome(folder, program, modules=None)
    assert outcome(folder, program, modules=LOADED) == cold
    assert outcome(folder, program, modules=LOADED[::-1]) == cold


@pytest.mark.slow  # imports torch twice
def test_torch_shows_what_it_shows_in_a_cold_process(tmp_path) -> None:
    program = "import torch; torch.nn.Linear(1, 1)"
    warm = outcome(tmp_path, program, modules=list(MODULES))
    assert warm == outcome(tmp_path, program, modules=None)
    assert "torch._dynamo" not in warm[1]
    assert "matplotlib" not in warm[1]
