"""Fills the memory with small objects."""


def answer(x):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))
