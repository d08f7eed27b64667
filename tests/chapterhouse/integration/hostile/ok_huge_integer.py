"""Returns an integer that takes minutes to print."""


def answer(x):
    return 1 << 50_000_000
