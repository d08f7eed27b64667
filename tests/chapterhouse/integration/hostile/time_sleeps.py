"""Sleeps, and so uses no processor time."""

import time


def answer(x):
    time.sleep(3600)
