"""Fills the memory through files that no process maps, so that only a control group counts them."""

import os


def answer(x):
    kept = []
    while True:
        kept.append(os.memfd_create("more"))
        os.write(kept[-1], bytes(16 << 20))
