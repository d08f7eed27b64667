"""Leaves files wherever it can, and changes those that are there."""

import os
import sys

PLACES = ["/", "/tmp", "/dev/shm", "/var/tmp", "/etc", sys.prefix, os.path.dirname(PLANTED)]


def answer(x):
    changed = []
    for place in PLACES:
        try:
            with open(f"{place}/HOSTILE", "w") as file:
                file.write("here")
        except OSError:
            continue
    try:
        os.symlink(PLANTED, "/tmp/HOSTILE-link")
    except OSError:
        pass
    for number, change in enumerate(
        (
            lambda: os.chmod(PLANTED, 0o777),
            lambda: os.truncate(PLANTED, 0),
            lambda: os.utime(PLANTED, (0, 0)),
            lambda: os.unlink(PLANTED),
            lambda: open("/tmp/HOSTILE-link").read(),
            lambda: os.chmod(os.__file__, 0o777),
            lambda: os.link(PLANTED, "/tmp/HOSTILE-hard"),
            lambda: os.mknod("/tmp/HOSTILE-disk", 0o60600, os.makedev(254, 0)),
            lambda: open("/dev/vda", "rb").read(1),
        )
    ):
        try:
            change()
        except OSError:
            continue
        changed.append(number)
    return changed
