"""Claims of equality to the last bit say for which devices and threads they hold."""

from __future__ import annotations

import pytest

from chapterhouse.site.measured.bitwise import unsaid


@pytest.mark.parametrize(
    "cell",
    [
        'claim("same", torch.equal(a, b))',
        'sp.claim("same", np.array_equal(a, b))',
        'sp.claim("same", a.equal(b))',
        'same = torch.equal(a, b)\nsp.claim("same", same)',
        'same = all(map(torch.equal, a, b))\nother = same\nsp.claim("same", other)',
        'sp.claim("same", n == 3 and torch.equal(a, b))',
        'same = torch.equal(a, b)\nsp.claim("same", same and n == 3)',
        'sp.claim("same", all(torch.equal(x, y) for x, y in pairs), name="x")',
    ],
)
def test_one_that_does_not_say_is_found(cell: str) -> None:
    assert len(unsaid(["%time x", cell])) == 1
    said = cell.replace('sp.claim("same",', 'sp.claim(on="cpu", text="same",')
    assert unsaid([said[:-1] + ', on="cpu, one thread")']) == []


@pytest.mark.parametrize(
    "cell",
    [
        'sp.claim("so", a.shape == b.shape)',
        'sp.claim("it has moved", not torch.equal(a, b))',
        'sp.claim("so", gap, below=1e-6)',
        'same = torch.equal(a, b)\nsp.claim("so", other)',
        'same = same\nsp.claim("so", same)',
        "torch.equal(a, b)",
    ],
)
def test_what_compares_no_last_bit_is_left_alone(cell: str) -> None:
    assert unsaid([cell]) == []
