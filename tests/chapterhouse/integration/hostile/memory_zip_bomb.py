"""Unpacks a small archive that holds gigabytes."""

import gzip

SMALL = gzip.compress(bytes(1 << 20)) * 4096


def answer(x):
    return len(gzip.decompress(SMALL))
