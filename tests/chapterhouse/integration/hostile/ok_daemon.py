"""Starts a process that should live on, and answers at once."""

import os
import time


def answer(x):
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
    except OSError:
        return 8
    return 8
