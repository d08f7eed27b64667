"""Loads a program into the kernel."""

import ctypes

libc = ctypes.CDLL(None)


def answer(x):
    return libc.syscall(321, 0, 0, 0)
