"""Raises an error whose text would steer a terminal or a page."""


class Loud(Exception):
    def __str__(self):
        return "\x1b[31m<script>alert(1)</script>\u202e\0" + "A" * 10_000_000


def answer(x):
    raise Loud
