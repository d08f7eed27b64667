"""Sends a second result for one call, and more after it."""

import os
import struct


def frame(text):
    return struct.pack(">4sIQ", b"CHW1", len(text), 0) + text


def answer(x):
    data = memoryview(frame(b'{"event":"result","mutated":[],"value":0}') * 50)
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
