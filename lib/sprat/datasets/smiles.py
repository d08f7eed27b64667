"""Molecules written as text, read as graphs: a parser of SMILES, and one of mol blocks.

SMILES writes a molecule as a walk over its bonds: ``CCO`` is ethanol, ``c1ccccc1`` benzene, where
digits close rings and small letters stand for aromatic atoms. This reads what the OpenSMILES
specification (http://opensmiles.org/opensmiles.html) calls atoms, bonds, branches, rings and dots.
Which way round a centre or double bond stands (``@``, ``/``, ``\\``) is read and not kept, since a
graph without coordinates has no place for it.
"""

import re
from dataclasses import dataclass, field

import torch

from sprat.errors import DataError
from sprat.graphs import GraphBatch

#: What a node's first features say; the last is every other element.
ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I", "other")
#: What a node's other features say.
ATOM_NUMBERS = ("neighbours", "hydrogens", "charge", "aromatic", "in a ring")
#: What an edge's features say: the kind of bond, one of four.
BONDS = ("single", "double", "triple", "aromatic")
NODE_FEATURES = len(ELEMENTS) + len(ATOM_NUMBERS)
EDGE_FEATURES = len(BONDS)

_VALENCES = {
    "B": (3,), "C": (4,), "N": (3, 5), "O": (2,), "P": (3, 5), "S": (2, 4, 6),
    "F": (1,), "Cl": (1,), "Br": (1,), "I": (1,),
}  # fmt: skip
_ORDERS = {"-": 1.0, "=": 2.0, "#": 3.0, ":": 1.5, "/": 1.0, "\\": 1.0}
_TOKEN = re.compile(
    r"(?P<atom>\[[^\]]*\]|Br|Cl|[BCNOPSFI]|[bcnops])"
    r"|(?P<bond>[-=#:/\\])|(?P<ring>%\d\d|\d)|(?P<open>\()|(?P<close>\))|(?P<dot>\.)"
)
_BRACKET = re.compile(
    r"\[(?P<isotope>\d+)?(?P<symbol>[A-Z][a-z]?|[bcnops]|se|as)(?P<chiral>@{1,2})?"
    r"(?:H(?P<hydrogens>\d*))?(?P<charge>\++\d*|-+\d*)?(?::\d+)?\]"
)


@dataclass
class Atom:
    """One atom.

    Args:
        element: its symbol.
        aromatic: whether it is written in small letters.
        charge: in units of the elementary charge.
        hydrogens: how many hang on it without being written; None until the bonds are known.
    """

    element: str
    aromatic: bool = False
    charge: int = 0
    hydrogens: int | None = None


@dataclass
class Molecule:
    """Atoms, and bonds as pairs of their places with an order: 1, 2, 3, or 1.5 for aromatic."""

    atoms: list[Atom] = field(default_factory=list)
    bonds: dict[tuple[int, int], float] = field(default_factory=dict)

    def formula(self) -> dict[str, int]:
        """Element → how many, hydrogens among them, in Hill's order: C, H, then by the alphabet."""
        counts: dict[str, int] = {}
        for atom in self.atoms:
            counts[atom.element] = counts.get(atom.element, 0) + 1
            if atom.hydrogens:
                counts["H"] = counts.get("H", 0) + atom.hydrogens
        first = ("C", "H") if "C" in counts else ()
        return {e: counts[e] for e in (*first, *sorted(set(counts) - set(first))) if e in counts}


def parse(smiles: str) -> Molecule:
    """The molecule that a line of SMILES describes.

    Raises:
        DataError: it is no SMILES, or uses something that is not read here.
    """
    molecule, at = Molecule(), 0
    walk = _Walk(molecule, smiles)
    while at < len(smiles):
        found = _TOKEN.match(smiles, at)
        if found is None:
            raise _mistake(smiles, f"{smiles[at]!r} at place {at} is not understood")
        walk.step(str(found.lastgroup), found.group())
        at = found.end()
    walk.end()
    return _filled(molecule)


def mol_block(block: str) -> Molecule:
    """The molecule of a mol block, version V2000: a table of atoms and one of bonds.

    The format is that of "CTfile Formats" (BIOVIA, 2020), chapter 4; coordinates are passed over.

    Raises:
        DataError: it is no such block.
    """
    lines, molecule = block.splitlines(), Molecule()
    try:
        atoms, bonds = int(lines[3][:3]), int(lines[3][3:6])
        if len(lines) < 4 + atoms + bonds:
            raise ValueError(f"{atoms} atoms and {bonds} bonds are promised, not all are there")
        molecule.atoms = [Atom(line[31:34].strip()) for line in lines[4 : 4 + atoms]]
        for line in lines[4 + atoms : 4 + atoms + bonds]:
            order = {1: 1.0, 2: 2.0, 3: 3.0, 4: 1.5}[int(line[6:9])]
            molecule.bonds[int(line[:3]) - 1, int(line[3:6]) - 1] = order
            if order == 1.5:
                for end in (int(line[:3]), int(line[3:6])):
                    molecule.atoms[end - 1].aromatic = True
        for line in lines[4 + atoms + bonds :]:
            if line.startswith("M  CHG"):
                numbers = [int(number) for number in line[6:].split()][1:]  # the first counts them
                for place, charge in zip(numbers[::2], numbers[1::2], strict=True):
                    molecule.atoms[place - 1].charge = charge
        return _filled(molecule)
    except (IndexError, KeyError, ValueError) as error:
        title = lines[0] if lines else ""
        raise DataError(
            f"The mol block {title!r} can't be read: {type(error).__name__}: {error}.",
            fix="mend it, or leave the molecule out",
        ) from None


def _filled(molecule: Molecule) -> Molecule:
    """The same molecule, with the hydrogens that nobody writes counted."""
    for place, atom in enumerate(molecule.atoms):
        if atom.hydrogens is None:
            atom.hydrogens = _hydrogens(molecule, place)
    return molecule


class _Walk:
    """Where the line is: the last atom, branches to return to, and rings that are open."""

    def __init__(self, molecule: Molecule, smiles: str) -> None:
        self.molecule, self.smiles = molecule, smiles
        self.last: int | None = None
        self.order: float | None = None
        self.branches: list[int | None] = []
        self.rings: dict[str, tuple[int, float | None]] = {}

    def step(self, kind: str, text: str) -> None:
        """Take one token."""
        if kind == "bond":
            if self.order is not None:
                raise _mistake(self.smiles, "two bonds stand one behind the other")
            self.order = _ORDERS[text]
        elif kind == "atom":
            self.molecule.atoms.append(_atom(text, self.smiles))
            here = len(self.molecule.atoms) - 1
            if self.last is not None:
                self.link(self.last, here, self.order)
            self.last, self.order = here, None
        elif kind == "ring":
            self.ring(text)
        elif kind == "open":
            self.branches.append(self.last)
        elif kind == "close":
            if not self.branches:
                raise _mistake(self.smiles, "a bracket closes that was never opened")
            self.last = self.branches.pop()
        else:
            self.last = None

    def ring(self, digit: str) -> None:
        """Open a ring, or close the one that has this digit."""
        if self.last is None:
            raise _mistake(self.smiles, f"the ring {digit} begins before any atom")
        if digit not in self.rings:
            self.rings[digit] = self.last, self.order
        else:
            other, order = self.rings.pop(digit)
            self.link(other, self.last, self.order or order)
        self.order = None

    def link(self, first: int, second: int, order: float | None) -> None:
        """Add a bond; where none is written it is single, or aromatic between aromatic atoms."""
        if order is None:
            atoms = self.molecule.atoms
            order = 1.5 if atoms[first].aromatic and atoms[second].aromatic else 1.0
        if first == second or (first, second) in self.molecule.bonds:
            raise _mistake(self.smiles, "an atom is bound to itself, or twice to another")
        self.molecule.bonds[first, second] = order

    def end(self) -> None:
        """Nothing may be left open."""
        if self.rings or self.branches or self.order is not None or not self.molecule.atoms:
            raise _mistake(self.smiles, "a ring, a branch or a bond is left open, or it is empty")


def _atom(text: str, smiles: str) -> Atom:
    if not text.startswith("["):
        return Atom(text.capitalize(), text.islower())
    found = _BRACKET.fullmatch(text)
    if found is None:
        raise _mistake(smiles, f"the atom {text} is not understood")
    charge = found["charge"] or ""
    sign = -1 if charge.startswith("-") else 1
    digits = charge.strip("+-")
    hydrogens = found["hydrogens"]
    return Atom(
        found["symbol"].capitalize(),
        found["symbol"].islower(),
        sign * (int(digits) if digits else len(charge)),
        0 if hydrogens is None else int(hydrogens or 1),
    )


def _hydrogens(molecule: Molecule, place: int) -> int:
    """How many hydrogens fill an atom up to its next usual valence (OpenSMILES, section 3.1.5)."""
    atom = molecule.atoms[place]
    if atom.element not in _VALENCES:
        return 0
    orders = [order for pair, order in molecule.bonds.items() if place in pair]
    # An aromatic atom spends one more electron on the ring than its single bonds show.
    spent = sum(1.0 if order == 1.5 else order for order in orders) + atom.aromatic
    # A charge changes how many bonds there are: N⁺ and O⁻ as they stand, C⁺ and C⁻ one fewer.
    shift = -abs(atom.charge) if atom.element in ("C", "B") else atom.charge
    valences = [valence + shift for valence in _VALENCES[atom.element]]
    free = [valence - spent for valence in valences if valence >= spent]
    if atom.aromatic:  # an aromatic atom never reaches for a higher valence
        free = [valences[0] - spent]
    return int(max(0, free[0])) if free else 0


def _in_rings(molecule: Molecule) -> set[int]:
    """The atoms that are in a ring: what is left when ends, and then bridges, are taken away."""
    neighbours: dict[int, set[int]] = {place: set() for place in range(len(molecule.atoms))}
    for first, second in molecule.bonds:
        neighbours[first].add(second)
        neighbours[second].add(first)
    inside: set[int] = set()
    for first, second in molecule.bonds:
        # The bond is in a ring if its ends are connected without it.
        seen, todo = {first}, [first]
        while todo and second not in seen:
            here = todo.pop()
            for next_one in neighbours[here] - seen:
                if {here, next_one} != {first, second}:
                    seen.add(next_one)
                    todo.append(next_one)
        if second in seen:
            inside |= {first, second}
    return inside


def graph(molecule: Molecule) -> GraphBatch:
    """A molecule as one graph: a node an atom, a pair of edges a bond.

    Returns:
        Nodes (atoms, 18): the element, one of `ELEMENTS`, then `ATOM_NUMBERS`. Edge features
        (2 · bonds, 4): one of `BONDS`. Hydrogens that are not written are counted, not drawn.
    """
    degree = [0] * len(molecule.atoms)
    for first, second in molecule.bonds:
        degree[first] += 1
        degree[second] += 1
    inside = _in_rings(molecule)
    nodes = torch.zeros(len(molecule.atoms), NODE_FEATURES)
    for place, atom in enumerate(molecule.atoms):
        known = atom.element in ELEMENTS
        nodes[place, ELEMENTS.index(atom.element if known else "other")] = 1
        numbers = (degree[place], atom.hydrogens or 0, atom.charge, atom.aromatic, place in inside)
        nodes[place, len(ELEMENTS) :] = torch.tensor([float(number) for number in numbers])
    pairs = list(molecule.bonds)
    ends = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T  # (2, bonds)
    kinds = [(1.0, 2.0, 3.0, 1.5).index(molecule.bonds[pair]) for pair in pairs]
    features = torch.eye(len(BONDS))[torch.tensor(kinds, dtype=torch.int64)]
    return GraphBatch.one(nodes, torch.cat([ends, ends.flip(0)], 1), torch.cat([features] * 2))


def _mistake(smiles: str, what: str) -> DataError:
    return DataError(
        f"The SMILES {smiles!r} can't be read: {what}.",
        fix="mend it, or leave the molecule out",
    )
