"""Sends a tensor of no elements whose shape no machine can count."""

import os
import struct


def answer(x):
    text = (
        b'{"event":"result","mutated":[],'
        b'"value":{"tensor":["float32",[549755813888,549755813888,0],false]}}'
    )
    data = memoryview(struct.pack(">4sIQ", b"CHW1", len(text), 0) + text)
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
