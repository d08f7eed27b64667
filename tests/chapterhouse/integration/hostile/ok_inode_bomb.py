"""Fills the disk with small files."""


def answer(x):
    made = 0
    for number in range(20_000):
        try:
            open(f"small{number}", "w").close()
        except OSError:
            break
        made += 1
    return made
