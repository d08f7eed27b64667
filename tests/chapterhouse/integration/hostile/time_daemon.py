"""Starts a process that should live on, then waits."""

import os
import time


def answer(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 256)
            while True:
                pass
        os._exit(0)
    time.sleep(60)
