"""Returns more than an exercise may return."""


def answer(x):
    return bytes(200 << 20)
