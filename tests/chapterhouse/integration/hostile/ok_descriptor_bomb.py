"""Opens descriptors without an end."""

import os


def answer(x):
    opened = 0
    for _ in range(100_000):
        try:
            os.open("/dev/null", os.O_RDONLY)
        except OSError:
            break
        opened += 1
    return opened
