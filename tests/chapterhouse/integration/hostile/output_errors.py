"""Writes on the error stream without an end."""

import os


def answer(x):
    while True:
        os.write(2, b"more " * 10000)
