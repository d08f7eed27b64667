"""Loops, and ignores every signal that can be ignored."""

import signal

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)


def answer(x):
    while True:
        pass
