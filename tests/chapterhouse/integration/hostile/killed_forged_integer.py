"""Sends an integer of a million digits."""

import os
import struct


def frame(text):
    return struct.pack(">4sIQ", b"CHW1", len(text), 0) + text


def answer(x):
    data = memoryview(frame(b'{"event":"result","mutated":[],"value":' + b"9" * 1_000_000 + b"}"))
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
