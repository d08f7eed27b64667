"""The root that a job sees: a small tmpfs, what Python needs read-only, two scratch folders.

`sources` says what Python needs. It is worked out once, by the fork server, after it has imported
what jobs use: the standard library, site-packages, the folders of the shared libraries that are
mapped, and warmed packages that lie elsewhere. Not the folders above them: a course's repository
stays out, and with it every solution and case.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from . import kernel

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SCRATCH = ("/tmp", "/dev/shm")
_FURTHER = ("/etc/ld.so.cache", "/etc/localtime", "/usr/lib/locale", "/usr/share/zoneinfo")
_PLACES = ("/mnt", "/media", "/srv", "/opt", "/run", "/var/tmp", "/tmp")
_PEOPLE = "root:x:0:0::/:/bin/false\nstudent:x:65534:65534::/tmp:/bin/false\n"
_HIDDEN = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def sources(warmed: list[str]) -> list[str]:
    """The files and folders to show read-only, none below another."""
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    wanted = {sysconfig.get_path(key) for key in keys}
    inside = (sys.prefix, sys.base_prefix)
    wanted |= {p for p in sys.path if p.startswith(inside) and Path(p).is_dir()}
    for name in warmed:
        module = sys.modules[name.partition(".")[0]]
        wanted |= set(getattr(module, "__path__", ()))
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split(maxsplit=5)[-1]
        if ".so" in path and path.startswith("/"):
            # A system library's neighbours are loaded on demand; elsewhere only the file is shown.
            system = path.startswith(("/usr/lib", "/lib"))
            wanted.add(str(Path(path).parent) if system else path)
    wanted |= set(_FURTHER)
    return _outermost({path for path in wanted if Path(path).exists()})


def _outermost(paths: set[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(paths, key=lambda p: len(Path(p).parts)):
        if not any(Path(path).is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def build(shown: list[str], files_bytes: int) -> None:
    """Replace the root by one that holds only `shown`, devices and scratch folders.

    To be called in new mount and pid namespaces, with the right to mount.

    Args:
        shown: what `sources` gave.
        files_bytes: the size of each scratch folder.

    Raises:
        OSError: something could not be mounted.
    """
    # Nothing that is mounted here may spread to the machine outside.
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    place = _free_place(shown)
    kernel.mount("tmpfs", place, "tmpfs", kernel.MS_NOSUID, "size=1m,nr_inodes=1024,mode=755")
    # Scratch folders first: an environment below /tmp would vanish under one mounted later.
    for path in SCRATCH:
        Path(place + path).mkdir(parents=True, exist_ok=True)
        options = f"size={files_bytes},nr_inodes=1024,mode=1777"
        kernel.mount("tmpfs", place + path, "tmpfs", _HIDDEN, options)
    for path in shown:
        _show(path, place + path, kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV)
    for path in DEVICES:
        _show(path, place + path, kernel.ATTR_RDONLY | kernel.ATTR_NOSUID)
    for name in ("lib", "lib64"):
        if Path("/", name).is_symlink() and not Path(place, name).exists():
            Path(place, name).symlink_to(Path("/", name).readlink())
    Path(place, "etc").mkdir(exist_ok=True)
    Path(place, "etc/passwd").write_text(_PEOPLE)
    Path(place, "proc").mkdir()
    kernel.mount("proc", f"{place}/proc", "proc", _HIDDEN, "subset=pid,hidepid=invisible")
    read_only = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID
    kernel.mount("none", place, None, read_only | kernel.MS_NODEV)
    kernel.pivot_into(place)


def _free_place(shown: list[str]) -> str:
    """A folder to build on that hides nothing of what will be shown."""
    for place in _PLACES:
        needed = any(Path(path).is_relative_to(place) for path in shown)
        if Path(place).is_dir() and not Path(place).is_symlink() and not needed:
            return place
    raise OSError(f"no folder to build a root on: none of {', '.join(_PLACES)} is free")


def _show(path: str, target: str, attributes: int) -> None:
    if Path(path).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    kernel.mount(path, target, None, kernel.MS_BIND | kernel.MS_REC)
    kernel.restrict_mount(target, attributes)


def readable() -> list[str]:
    """What a job may read, for Landlock: the whole of its root is already only what it needs."""
    return [str(entry) for entry in Path("/").iterdir()]
