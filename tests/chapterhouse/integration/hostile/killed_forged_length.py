"""Announces a frame larger than the memory of the grader."""

import os
import struct


def frame(text):
    return struct.pack(">4sIQ", b"CHW1", len(text), 0) + text


def answer(x):
    data = memoryview(struct.pack(">4sIQ", b"CHW1", 10, 2**62))
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
