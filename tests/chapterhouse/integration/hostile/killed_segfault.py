"""Crashes the interpreter."""

import ctypes


def answer(x):
    return ctypes.string_at(1)
