"""Whether this Python can have the environment: silent when it can, else what was found and the fix.

`scripts/setup.sh` runs it with the interpreter in question before anything is downloaded, so it is
written for every Python since 2.7. Exit code 0 when it fits, 2 when it does not.
"""

from __future__ import print_function

import os
import sys
import sysconfig

# The lock was resolved for these, and `make try-install` installs it with them.
NAMED = ((3, 11), (3, 12), (3, 13))
# No wheel of quickjs is published from here on: it is compiled while it is installed.
COMPILED_FROM = (3, 13)
NAME_IT = "install one of them, or name it: make book PYTHON=/path/to/python3.11"


def misfit(facts):
    """What keeps a Python with these facts from having the environment, as (found, fix), or None.

    facts: `version` (major, minor), `implementation`, `bits`, `free_threaded`, `system`, `machine`,
    `libc` ("glibc", a "glibc 2.17" too old for torch as "old glibc", or "musl"), `venv`, `compiler`
    and `headers`, as `facts()` finds them.
    """
    version = "%d.%d" % facts["version"]
    wanted = "%s or %s" % (", ".join("%d.%d" % v for v in NAMED[:-1]), "%d.%d" % NAMED[-1])
    if facts["implementation"] != "CPython":
        return (
            "%s was found; torch is published for CPython only." % facts["implementation"],
            NAME_IT.replace("one of them", "CPython %s" % wanted),
        )
    if facts["version"] not in NAMED:
        return (
            "Python %s was found; the environment is locked for %s." % (version, wanted),
            NAME_IT,
        )
    if facts["bits"] != 64:
        return ("A Python of 32 bits was found; torch is published for 64 bits only.", NAME_IT)
    if facts["free_threaded"]:
        return (
            "A free-threaded Python %s was found; the environment is locked for the usual one."
            % version,
            NAME_IT,
        )
    return _elsewhere(facts) or _missing(facts, version)


def _elsewhere(facts):
    """What torch's publishers have left out."""
    system, machine = facts["system"], facts["machine"]
    if system == "darwin" and machine == "x86_64":
        return (
            "This is macOS on an Intel processor; no torch since 2.3 is published for it.",
            "use a Mac with an Apple processor (and a Python built for it), Linux, or Colab",
        )
    if system == "linux" and facts["libc"] == "musl":
        return (
            "This Linux has the C library musl; torch is published for glibc only.",
            "use a distribution with glibc, such as Debian, in a container for instance",
        )
    if system == "linux" and facts["libc"] == "old glibc":
        return (
            "This Linux has a glibc older than 2.28, which torch asks for.",
            "use a distribution of 2019 or later, in a container for instance",
        )
    return None


def _missing(facts, version):
    """What has to be installed beside this Python."""
    if not facts["venv"]:
        return (
            "Python %s was found without venv and ensurepip, and without uv." % version,
            "sudo apt-get install python%s-venv (or the like), or install uv" % version,
        )
    if facts["version"] >= COMPILED_FROM and not (facts["compiler"] and facts["headers"]):
        lacking = "a C compiler" if not facts["compiler"] else "Python's header files"
        return (
            "With Python %s one package (quickjs) has to be compiled, and %s was not found."
            % (version, lacking),
            "sudo apt-get install gcc python%s-dev (or the like), or name a Python that "
            "needs neither: make book PYTHON=/path/to/python3.12" % version,
        )
    return None


def facts():
    """The facts of the Python that runs this."""
    include = sysconfig.get_paths().get("include") or ""
    return {
        "version": tuple(sys.version_info[:2]),
        "implementation": _implementation(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "system": "linux" if sys.platform.startswith("linux") else sys.platform,
        "machine": os.uname()[4] if hasattr(os, "uname") else "",
        "libc": _libc(),
        "venv": _has("venv") and _has("ensurepip") or bool(_found("uv")),
        "compiler": bool(_found((os.environ.get("CC") or "cc").split()[0]) or _found("gcc")),
        "headers": os.path.exists(os.path.join(include, "Python.h")),
    }


def _implementation():
    import platform

    return platform.python_implementation()


def _libc():
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (AttributeError, OSError, ValueError):
        return "musl"
    return name if tuple(int(n) for n in version.split(".")[:2]) >= (2, 28) else "old glibc"


def _has(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def _found(command):
    """Whether a command is on the path, or is a path itself."""
    if os.sep in command:
        return os.access(command, os.X_OK)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return any(os.access(os.path.join(folder, command), os.X_OK) for folder in folders)


if __name__ == "__main__":
    found = misfit(facts())
    if found:
        print("%s\n  fix: %s" % found, file=sys.stderr)
        sys.exit(2)
