"""Sends a short frame that stands for very much."""

import os
import struct


def frame(text):
    return struct.pack(">4sIQ", b"CHW1", len(text), 0) + text


def answer(x):
    data = memoryview(
        frame(b'{"event":"result","mutated":[],"value":[' + b"[]," * 1_000_000 + b"[]]}")
    )
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
