"""Starts other programs."""

import os
import subprocess

STARTED = []


def answer(x):
    for command in (["/bin/sh", "-c", "id"], ["/usr/bin/env"], ["/proc/self/exe", "-c", "1"]):
        try:
            STARTED.append(subprocess.run(command, capture_output=True).stdout)
        except OSError:
            continue
    try:
        os.execv("/bin/sh", ["sh"])
    except OSError:
        pass
    return STARTED
