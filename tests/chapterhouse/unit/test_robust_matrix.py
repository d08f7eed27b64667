"""Which cells there are, and what makes each of them what it is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chapterhouse.errors import RunError
from chapterhouse.run.robust import processor
from chapterhouse.run.robust.matrix import Cell, make_matrix


@pytest.mark.parametrize(
    ("capability", "isas", "alike"),
    [
        ("AVX512", ("default", "avx2", "native"), {}),
        ("AVX2", ("default", "native"), {"avx2": "native"}),
        ("DEFAULT", ("native",), {"default": "native"}),
        ("SVE256", ("default", "native"), {}),
        ("", ("native",), {}),
    ],
)
def test_what_is_the_same_here_is_run_once(capability, isas, alike) -> None:
    matrix = make_matrix(capability)
    assert (matrix.isas, matrix.alike) == (isas, alike)
    for name, run in alike.items():
        assert f"{name} is {run} here" in matrix.told()


def test_half_of_the_runs_with_two_threads_meet_every_seed_and_instruction_set() -> None:
    matrix = make_matrix("AVX2", seeds=range(10))
    cells = matrix.cells("01_a", seeded=True)
    one = [cell for cell in cells if cell.threads == 1]
    two = [cell for cell in cells if cell.threads == 2]
    assert len(one) == 20
    assert {(cell.isa, cell.seed) for cell in one} == {
        (isa, seed) for isa in ("default", "native") for seed in range(10)
    }
    assert sorted(cell.seed for cell in two) == list(range(10))
    assert {isa: sum(cell.isa == isa for cell in two) for isa in matrix.isas} == {
        "default": 5, "native": 5,
    }  # fmt: skip
    assert "half of the product" in matrix.told()
    assert "of the product" not in make_matrix("AVX2", design="full").told()


def test_in_a_thin_design_the_seeds_go_over_the_instruction_sets_in_turn() -> None:
    cells = make_matrix("AVX512", seeds=range(10), design="thin").cells("01_a", seeded=True)
    one = [cell for cell in cells if cell.threads == 1]
    assert [cell.seed for cell in one] == list(range(10))
    assert [cell.isa for cell in one][:4] == ["default", "avx2", "native", "default"]
    two = {(cell.isa, cell.seed) for cell in cells if cell.threads == 2}
    assert two == {(isa, 0) for isa in ("default", "avx2", "native")}


def test_every_combination_is_one_cell_and_a_first_look_is_broad() -> None:
    matrix = make_matrix("AVX512", seeds=range(3), design="full")
    cells = matrix.cells("01_a", seeded=True)
    assert len(cells) == len(set(cells)) == 3 * 2 * 3
    assert len({cell.name for cell in cells}) == len(cells)
    assert {cell.seed for cell in cells[:6]} == {0}
    assert len({(cell.isa, cell.threads) for cell in cells[:6]}) == 6


def test_a_notebook_without_a_seed_runs_once_in_each_other_cell() -> None:
    cells = make_matrix("AVX2").cells("01_a", seeded=False)
    assert [cell.name for cell in cells] == ["default-1t", "default-2t", "native-1t", "native-2t"]


def test_libraries_are_told_the_same_instruction_set() -> None:
    old, new = Cell("a", "default", 2, 1).variables, Cell("a", "avx2", 1, 1).variables
    assert (old["ATEN_CPU_CAPABILITY"], old["MKL_ENABLE_INSTRUCTIONS"]) == ("default", "SSE4_2")
    assert old["ONEDNN_MAX_CPU_ISA"] == "SSE41"
    assert old["OMP_NUM_THREADS"] == old["MKL_NUM_THREADS"] == "2"
    assert (new["ATEN_CPU_CAPABILITY"], new["OMP_NUM_THREADS"]) == ("avx2", "1")
    # What the one who calls has set must not reach the native column.
    assert Cell("a", "native", 1).variables["ATEN_CPU_CAPABILITY"] == ""


def test_a_cell_has_words() -> None:
    assert Cell("a", "default", 1, 3).words == "default, 1 thread, seed 3"
    assert Cell("a", "avx2", 2).words == "avx2, 2 threads"


def test_the_processor_is_asked_without_the_variables_of_the_one_who_calls(monkeypatch) -> None:
    given = {}

    def run(command, **settings):
        given.update(settings["env"])
        return subprocess.CompletedProcess(command, 0, '{"torch": "2", "capability": "AVX2"}\n', "")

    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setattr(processor.subprocess, "run", run)
    here = processor.ask()
    assert "ATEN_CPU_CAPABILITY" not in given
    assert here.capability == "AVX2"
    assert here.versions["torch"] == "2"


def test_without_torch_there_are_threads_and_seeds_only(monkeypatch) -> None:
    answer = subprocess.CompletedProcess([], 0, "{}\n", "")
    monkeypatch.setattr(processor.subprocess, "run", lambda *_, **__: answer)
    here = processor.ask()
    assert here.capability == ""
    assert make_matrix(here.capability).isas == ("native",)
    assert set(here.versions) == {"python"}


def test_a_torch_that_cannot_be_loaded_is_an_error_with_a_fix(monkeypatch) -> None:
    answer = subprocess.CompletedProcess([], 1, "", "Traceback\nOSError: libgomp.so is not there")
    monkeypatch.setattr(processor.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(RunError, match=r"libgomp.so is not there.*\n  fix: run .*import numpy"):
        processor.ask()


def test_this_process_imports_no_torch() -> None:
    code = (
        "import sys; from chapterhouse.run.robust import command, processor, sweep, table; "
        "processor.ask(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0


def test_the_question_is_answered_by_this_very_interpreter() -> None:
    here = processor.ask()
    assert here.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert here.capability
    assert here.model
    assert here.as_json()["flags"] == list(here.flags)
