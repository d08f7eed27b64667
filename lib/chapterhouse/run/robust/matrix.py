"""The cells that a notebook is run in: every instruction set, number of threads and seed.

An instruction set is chosen by environment variables that are read when torch, MKL and oneDNN are
loaded. ``default`` is what every processor of the last fifteen years has, ``avx2`` what nearly all
have, ``native`` whatever the one at hand has at best. Where two of them are the same here, one is
run and counts as both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chapterhouse.run.forkclient import THREADS
from chapterhouse.run.origin import CHOOSING

SEEDS = 10
_ATEN, _MKL, _ONEDNN = CHOOSING
_CHOICES = {
    "default": {_ATEN: "default", _MKL: "SSE4_2", _ONEDNN: "SSE41"},
    "avx2": {_ATEN: "avx2", _MKL: "AVX2", _ONEDNN: "AVX2"},
    # Empty takes a variable away, whatever the one who calls us has set.
    "native": dict.fromkeys(CHOOSING, ""),
}
# numpy's OpenBLAS starts its threads as it is loaded, and a process with threads cannot be forked:
# every kernel would be a cold one. numpy's own products stay on one thread.
_ALWAYS_ONE = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True)
class Cell:
    """One run of one notebook; `seed` is None for a notebook that has no such parameter."""

    slug: str
    isa: str
    threads: int
    seed: int | None = None

    @property
    def name(self) -> str:
        """A file name's part, the same for the same cell."""
        seed = "" if self.seed is None else f"-seed{self.seed}"
        return f"{self.isa}-{self.threads}t{seed}"

    @property
    def words(self) -> str:
        """The cell for a person, without its notebook."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"{self.isa}, {threads}{seed}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that make the cell what it is."""
        threads = {name: str(self.threads) for name in THREADS if name != _ALWAYS_ONE}
        return {**_CHOICES[self.isa], **threads}


DESIGNS = ("full", "half", "thin")


@dataclass(frozen=True)
class Matrix:
    """All cells: `alike` maps an instruction set to the one that is run in its place.

    `design` says which of the product are run:

    - ``full``: all;
    - ``half``: each seed meets several threads on every other instruction set, and each instruction
      set with every other seed; one thread meets everything;
    - ``thin``: the seeds go over the instruction sets in turn, with one thread; several threads
      meet every instruction set with the first seed.
    """

    isas: tuple[str, ...]
    threads: tuple[int, ...]
    seeds: tuple[int, ...]
    alike: dict[str, str]
    design: str = "half"

    def cells(self, slug: str, *, seeded: bool) -> list[Cell]:
        """The cells of one notebook; the seeds vary last, so that a first look is broad.

        Args:
            slug: the notebook's name.
            seeded: whether its parameters cell has a ``seed``.
        """
        seeds: Sequence[int | None] = self.seeds if seeded else (None,)
        return [
            Cell(slug, isa, threads, seed)
            for i, seed in enumerate(seeds)
            for j, isa in enumerate(self.isas)
            for threads in self.threads
            if not seeded or self._takes(i, j, several=threads > 1)
        ]

    def _takes(self, i: int, j: int, *, several: bool) -> bool:
        """Whether the design has the i-th seed on the j-th instruction set."""
        if self.design == "thin":
            return i == 0 if several else i % len(self.isas) == j
        return self.design == "full" or not several or (i + j) % 2 == 0

    def told(self) -> str:
        """What the matrix is, in a line."""
        same = "".join(f"; {name} is {run} here" for name, run in self.alike.items())
        seeds = f"seeds {self.seeds[0]} to {self.seeds[-1]}" if self.seeds else "no seeds"
        threads = " and ".join(map(str, self.threads))
        part = "" if self.design == "full" else f", {self.design} of the product"
        return f"{', '.join(self.isas)}{same} × {threads} threads × {seeds}{part}"


def make_matrix(
    capability: str,
    *,
    seeds: Sequence[int] = range(SEEDS),
    threads: Sequence[int] = (1, 2),
    design: str = "half",
) -> Matrix:
    """The matrix for one processor.

    Args:
        capability: what torch calls the best that it has; empty without torch.
        seeds: the values of the parameter ``seed``.
        threads: how many threads a kernel has.
        design: which of the product are run; see `Matrix`.
    """
    isas, alike = ["native"], {}
    if capability == "DEFAULT":
        alike["default"] = "native"
    elif capability:
        isas.insert(0, "default")
    if capability == "AVX2":
        alike["avx2"] = "native"
    elif capability.startswith("AVX512"):
        isas.insert(1, "avx2")
    return Matrix(tuple(isas), tuple(threads), tuple(seeds), alike, design)
