"""Sends a result whose parts have the wrong types."""

import os
import struct


def frame(text):
    return struct.pack(">4sIQ", b"CHW1", len(text), 0) + text


def answer(x):
    data = memoryview(frame(b'{"event":"result","mutated":{"a":1},"failure":[],"kind":[]}'))
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
