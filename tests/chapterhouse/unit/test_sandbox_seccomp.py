"""The filter decides as its docstring says; a small interpreter runs it here, not the kernel."""

from __future__ import annotations

import errno
import platform
import re
import struct
import sys
from pathlib import Path

import pytest

from chapterhouse.grade.sandbox import seccomp, syscalls

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="seccomp filters are for Linux on x86_64 and aarch64",
)
MACHINE = platform.machine()
NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(MACHINE, 0)
ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
TABLES = ("ALLOWED", "FORKING", "SERVING", "EXAMINED", "METADATA", "REFUSED", "FATAL")


def numbers(table: str) -> dict[str, int]:
    return syscalls.numbers(getattr(syscalls, table), MACHINE)


def every() -> dict[str, int]:
    return {name: number for table in TABLES for name, number in numbers(table).items()}


def decide(program: bytes, number: int, *arguments: int, arch: int = NATIVE) -> int:
    """Run a filter on one system call, as the kernel would."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    instructions = list(struct.iter_unpack("HBBI", program))
    accumulator = at = 0
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, operand)[0]
            continue
        holds = {
            0x15: accumulator == operand,
            0x35: accumulator >= operand,
            0x45: bool(accumulator & operand),
        }[code]
        at += if_true if holds else if_false


@pytest.fixture(params=["walled", "alone"])
def program(request: pytest.FixtureRequest) -> bytes:
    return seccomp.build() if request.param == "walled" else seccomp.build(own_pid=77)


def test_tables_do_not_overlap() -> None:
    names = [name for table in TABLES for name in numbers(table)]
    assert len(names) == len(set(names)) == len(set(every().values()))


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_numbers_are_those_of_the_kernel(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip("the kernel's headers are not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    known = {{"fstatat": "newfstatat"}.get(name, name): int(number) for name, number in found}
    for table in TABLES:
        for name, number in syscalls.numbers(getattr(syscalls, table), machine).items():
            assert known[name] == number, name


def test_each_call_gets_its_table_s_answer(program: bytes) -> None:
    for table, answer in (("ALLOWED", ALLOW), ("REFUSED", REFUSE), ("FATAL", KILL)):
        for name, number in numbers(table).items():
            assert decide(program, number) == answer, name


def test_what_is_not_named_does_not_exist(program: bytes) -> None:
    named = set(every().values()) - {every()["clone3"]}
    for number in set(range(600)) - named:
        assert decide(program, number) == UNKNOWN, number


def test_other_architectures_and_interfaces_are_fatal(program: bytes) -> None:
    assert decide(program, every()["read"], arch=0x40000003) == KILL  # 32-bit x86
    assert decide(program, 0x40000000 + 39) == KILL  # x32


def test_no_namespace_can_be_made() -> None:
    program, clone = seccomp.build(), every()["clone"]
    assert decide(program, clone, 17) == ALLOW
    assert decide(program, clone, 0x3D0F00) == ALLOW  # a thread, as libc makes it
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(program, clone, 17 | bit) == REFUSE


def test_without_namespaces_only_threads_can_be_made() -> None:
    program, clone = seccomp.build(own_pid=77), every()["clone"]
    assert decide(program, clone, 0x3D0F00) == ALLOW
    assert decide(program, clone, 17) == REFUSE
    for number in numbers("FORKING").values():
        assert decide(program, number) == REFUSE


def test_only_unix_sockets() -> None:
    walled, alone, names = seccomp.build(), seccomp.build(own_pid=77), every()
    for family in (2, 10, 16, 17, 38, 40):
        assert decide(walled, names["socket"], family) == REFUSE
        assert decide(walled, names["socketpair"], family) == REFUSE
    assert decide(walled, names["socket"], 1) == ALLOW
    assert decide(alone, names["socket"], 1) == REFUSE
    assert decide(alone, names["socketpair"], 1) == ALLOW
    assert decide(alone, names["connect"]) == REFUSE


def test_without_namespaces_only_itself_can_be_signalled() -> None:
    program, names = seccomp.build(own_pid=77), every()
    for name in ("kill", "tgkill"):
        assert decide(program, names[name], 77) == ALLOW
        for other in (1, 76, 0, 2**32 - 1, 2**64 - 77):
            assert decide(program, names[name], other) == REFUSE
    assert decide(program, names["tkill"], 77) == REFUSE


def test_without_namespaces_only_itself_can_be_limited() -> None:
    program, names = seccomp.build(own_pid=77), every()
    for name in ("prlimit64", "sched_setaffinity"):
        assert decide(program, names[name], 0) == ALLOW
        assert decide(program, names[name], 77) == ALLOW
        assert decide(program, names[name], 76) == REFUSE


def test_files_send_no_signals(program: bytes) -> None:
    for command in (8, 10, 15):
        assert decide(program, every()["fcntl"], 0, command) == REFUSE
    for command in (0, 1, 2, 3, 4, 1030):
        assert decide(program, every()["fcntl"], 0, command) == ALLOW


def test_terminals_cannot_be_typed_into(program: bytes) -> None:
    assert decide(program, every()["ioctl"], 0, 0x5401) == ALLOW
    assert decide(program, every()["ioctl"], 0, 0x5412) == REFUSE  # TIOCSTI
    assert decide(program, every()["ioctl"], 0, 0x541C) == REFUSE  # TIOCLINUX
    assert decide(program, every()["prctl"], 22) == REFUSE  # PR_SET_SECCOMP


def test_files_modes_change_only_behind_a_wall() -> None:
    for number in numbers("METADATA").values():
        assert decide(seccomp.build(), number) == ALLOW
        assert decide(seccomp.build(own_pid=77), number) == REFUSE
