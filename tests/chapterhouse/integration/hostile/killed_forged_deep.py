"""Sends JSON nested a million deep."""

import os
import struct


def frame(text):
    return struct.pack(">4sIQ", b"CHW1", len(text), 0) + text


def answer(x):
    data = memoryview(frame(b"[" * 1_000_000))
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
