"""Prints without an end."""


def answer(x):
    while True:
        print("more " * 1000)
