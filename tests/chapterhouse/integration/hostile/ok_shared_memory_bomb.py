"""Fills the memory through files in shared memory."""


def answer(x):
    written = 0
    for number in range(64):
        try:
            with open(f"/dev/shm/big{number}", "wb") as file:
                for _ in range(64):
                    written += file.write(bytes(1 << 20))
        except OSError:
            continue
    return written
