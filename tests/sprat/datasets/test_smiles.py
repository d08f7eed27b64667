"""SMILES and mol blocks as graphs, against formulas and structures that chemistry books have."""

import pytest
import torch

from sprat.datasets import smiles
from sprat.datasets.smiles import ATOM_NUMBERS, BONDS, ELEMENTS, graph, mol_block, parse
from sprat.errors import DataError

FORMULAS = {
    "C": "C1 H4",
    "CCO": "C2 H6 O1",
    "O=C=O": "C1 O2",
    "C#N": "C1 H1 N1",
    "c1ccccc1": "C6 H6",
    "C1=CC=CC=C1": "C6 H6",
    "c1ccc2ccccc2c1": "C10 H8",  # naphthalene
    "c1ccncc1": "C5 H5 N1",  # pyridine
    "c1cc[nH]c1": "C4 H5 N1",  # pyrrole
    "c1ccoc1": "C4 H4 O1",  # furan
    "c1ccsc1": "C4 H4 S1",  # thiophene
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C": "C8 H10 N4 O2",  # caffeine
    "CC(=O)Oc1ccccc1C(=O)O": "C9 H8 O4",  # aspirin
    "C[N+](C)(C)CC(=O)[O-]": "C5 H11 N1 O2",  # betaine
    "[O-][N+](=O)c1ccccc1": "C6 H5 N1 O2",  # nitrobenzene
    "CS(=O)(=O)Cl": "C1 H3 Cl1 O2 S1",
    "FS(F)(F)(F)(F)F": "F6 S1",
    "OP(=O)(O)O": "H3 O4 P1",
    "BrCC(I)Cl": "C2 H3 Br1 Cl1 I1",
    "N[C@@H](C)C(=O)O": "C3 H7 N1 O2",  # alanine
    "F/C=C/F": "C2 H2 F2",
    "C12C3C4C1C5C2C3C45": "C8 H8",  # cubane
    "C%11CCCCC%11": "C6 H12",
    "[Na+].[Cl-]": "Cl1 Na1",
    "[13CH4]": "C1 H4",
    "[2H]O[2H]": "H2 O1",
    "c1ccccc1-c1ccccc1": "C12 H10",  # biphenyl: the bond between the rings is single
    "[Si](C)(C)(C)C": "C4 H12 Si1",
}


@pytest.mark.parametrize(("line", "formula"), FORMULAS.items())
def test_formulas(line: str, formula: str) -> None:
    found = parse(line).formula()
    assert " ".join(f"{element}{count}" for element, count in found.items()) == formula


def test_bonds_of_biphenyl() -> None:
    orders = list(parse("c1ccccc1-c1ccccc1").bonds.values())
    assert orders.count(1.5) == 12
    assert orders.count(1.0) == 1


def test_graph_of_acetonitrile() -> None:
    found = graph(parse("CC#N"))
    assert found.nodes.shape == (3, smiles.NODE_FEATURES)
    assert found.edges.tolist() == [[0, 1, 1, 2], [1, 2, 0, 1]]
    assert found.edge_features is not None
    kinds = [BONDS[i] for i in found.edge_features.argmax(1).tolist()]
    assert kinds == ["single", "triple", "single", "triple"]
    assert [ELEMENTS[i] for i in found.nodes[:, : len(ELEMENTS)].argmax(1)] == ["C", "C", "N"]
    numbers = dict(zip(ATOM_NUMBERS, found.nodes[0, len(ELEMENTS) :].tolist(), strict=True))
    assert numbers == {
        "neighbours": 1, "hydrogens": 3, "charge": 0, "aromatic": 0, "in a ring": 0,
    }  # fmt: skip


def test_rings_are_found_and_bridges_are_none() -> None:
    # A ring, a bridge of two atoms, a ring: methyl's and the bridge's atoms are in none.
    found = graph(parse("CC1CC1CCC1CC1"))
    in_ring = found.nodes[:, len(ELEMENTS) + ATOM_NUMBERS.index("in a ring")].bool().tolist()
    assert in_ring == [False, True, True, True, False, False, True, True, True]


def test_unknown_elements_share_a_place_and_atoms_alone_have_no_edges() -> None:
    found = graph(parse("[Na+].[Cl-]"))
    assert found.edges.shape == (2, 0)
    assert found.nodes[0, ELEMENTS.index("other")] == 1
    charges = found.nodes[:, len(ELEMENTS) + ATOM_NUMBERS.index("charge")]
    assert torch.equal(charges, torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize(
    "line",
    ["", "C(", "C)", "C1CC", "1C", "C==C", "CX", "C11", "[Zz", "[C", "n(H)c", "C=", "C12CC12"],
)
def test_mistakes_are_named(line: str) -> None:
    with pytest.raises(DataError, match="can't be read"):
        parse(line)


BLOCK = """acetate
  by hand

  4  3  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.0000    0.0000    0.0000 C   0  0
    2.0000    1.0000    0.0000 O   0  0
    2.0000   -1.0000    0.0000 O   0  0
  1  2  1  0
  2  3  2  0
  2  4  1  0
M  CHG  1   4  -1
M  END
"""


def test_mol_block_is_the_same_molecule_as_its_smiles() -> None:
    block, line = mol_block(BLOCK), parse("CC(=O)[O-]")
    assert block.formula() == line.formula() == {"C": 2, "H": 3, "O": 2}
    assert torch.equal(graph(block).nodes, graph(line).nodes)
    assert torch.equal(graph(block).edges, graph(line).edges)


@pytest.mark.parametrize(
    "content", ["", "a\nb\nc\n", BLOCK[:140], BLOCK.replace("M  CHG  1", "M  CHG  x")]
)
def test_damaged_blocks_are_named(content: str) -> None:
    with pytest.raises(DataError, match="mol block"):
        mol_block(content)
