"""An environment for peers that may not stand in the course's own, made once below ``_build``.

Keras and fastai bring packages that the course does not need, and fastai asks for a torchvision
that no CPU build of torch fits. So they are installed beside the course's environment, which the
new one looks into for all else: torch, sprat and the other peers stay the very same.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "_build" / "bench-venv"
#: With what it needs; and without, because what fastai's learner imports is there or named here.
WHOLE = ("keras==3.15.1",)
ALONE = (
    "fastai==2.8.12",
    "fastcore==2.2.39",
    "fastprogress==1.0.5",
    "fastdownload==0.0.8",
    "fasttransform==0.0.5",
    "plum-dispatch==2.10.1",
)


def enter() -> None:
    """Run the script again in that environment, unless it runs there already."""
    if Path(sys.prefix).resolve() == FOLDER.resolve():
        return
    python = make()
    if python is not None:
        os.execv(python, [str(python), *sys.argv])


def make() -> Path | None:
    """Its Python; None, with a notice, where the packages cannot be had."""
    python = FOLDER / "bin" / "python"
    done = FOLDER / ".made"
    wanted = "\n".join((*WHOLE, *ALONE))
    if python.exists() and done.exists() and done.read_text() == wanted:
        return python
    print(f"making {FOLDER.relative_to(ROOT)} for the peers that stand apart")
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", FOLDER], check=True)
    inside = Path(sysconfig.get_path("purelib", vars={"base": FOLDER, "platbase": FOLDER}))
    # addsitedir also follows the paths of what is installed in place, such as sprat.
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (inside / "course.pth").write_text(line)
    try:
        for options, packages in (([], WHOLE), (["--no-deps"], ALONE)):
            install = [python, "-m", "pip", "install", "-qq", *options, *packages]
            subprocess.run(install, check=True)
    except subprocess.CalledProcessError:
        print("the peers that stand apart cannot be installed; they are left out")
        return None
    done.write_text(wanted)
    return python
