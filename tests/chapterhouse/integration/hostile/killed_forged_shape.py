"""Sends an array whose shape does not fit its bytes."""

import os
import struct


def frame(text):
    return struct.pack(">4sIQ", b"CHW1", len(text), 0) + text


def answer(x):
    data = memoryview(
        frame(b'{"event":"result","mutated":[],"value":{"array":["float64",[99999]]}}')
    )
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
