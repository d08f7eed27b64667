"""Leaves work for the end of the interpreter."""

import atexit
import threading


def late():
    open("/tmp/HOSTILE", "w").write("late")
    print("verdict: accepted")


atexit.register(late)
threading.Timer(0.0, late).start()


class AtDelete:
    def __del__(self):
        late()


KEEP = AtDelete()


def answer(x):
    return 5
