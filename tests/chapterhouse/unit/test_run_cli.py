"""The command line's frame: every command explains itself, and no mistake shows a traceback."""

from __future__ import annotations

import argparse
import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chapterhouse import cli
from chapterhouse.errors import NotebookError

COMMANDS_PAGE = Path(__file__).parents[3] / "book" / "commands.md"


def commands(
    parser: argparse.ArgumentParser, prefix: str = "chapterhouse"
) -> Iterator[tuple[str, str | None, argparse.ArgumentParser]]:
    """Every command with its help text, groups left out."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            for name, child in action.choices.items():
                nested = list(commands(child, f"{prefix} {name}"))
                yield from nested or [(f"{prefix} {name}", helps.get(name), child)]


ALL = list(commands(cli.build_parser()))


def test_there_are_commands() -> None:
    assert {"chapterhouse run", "chapterhouse notebook clean"} <= {name for name, _, _ in ALL}


@pytest.mark.parametrize(("name", "text", "parser"), ALL, ids=[name for name, _, _ in ALL])
def test_each_command_has_help_and_a_place_on_the_page(
    name: str, text: str | None, parser: argparse.ArgumentParser
) -> None:
    assert text, f"{name} has no help text"
    assert parser.description, f"{name} has no description"
    for action in parser._actions:
        assert action.help, f"{name}: {action.dest} has no help text"
    assert f"## `{name}`" in COMMANDS_PAGE.read_text(), f"{name} has no heading on the page"


@pytest.mark.parametrize(("name", "text", "parser"), ALL, ids=[name for name, _, _ in ALL])
def test_each_command_has_an_action(
    name: str, text: str | None, parser: argparse.ArgumentParser
) -> None:
    assert callable(parser.get_default("action")), f"{name} sets no action"


def run_with(monkeypatch: pytest.MonkeyPatch, action) -> int:
    parser = argparse.ArgumentParser()
    parser.set_defaults(action=action)
    monkeypatch.setattr(cli, "build_parser", lambda: parser)
    return cli.main([])


def test_an_error_is_its_message_its_fix_and_its_code(monkeypatch, capsys) -> None:
    def action(_):
        raise NotebookError("x.ipynb is broken.", fix="mend it")

    assert run_with(monkeypatch, action) == 2
    assert capsys.readouterr().err == "chapterhouse: x.ipynb is broken.\n  fix: mend it\n"


def test_interrupt_is_130(monkeypatch, capsys) -> None:
    def action(_):
        raise KeyboardInterrupt

    assert run_with(monkeypatch, action) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_terminate_unwinds_and_is_143(monkeypatch) -> None:
    tidied = []

    def action(_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            tidied.append(True)

    before = signal.getsignal(signal.SIGTERM)
    assert run_with(monkeypatch, action) == 143
    assert tidied == [True]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_full_disk_names_the_file_and_the_fix(monkeypatch, capsys) -> None:
    def action(_):
        raise OSError(errno.ENOSPC, "No space left on device", "/course/_build/x")

    assert run_with(monkeypatch, action) == 1
    message = capsys.readouterr().err
    assert "/course/_build/x" in message
    assert "free some space" in message


def test_a_missing_extra_is_named(monkeypatch, capsys) -> None:
    def action(_):
        raise ModuleNotFoundError("No module named 'papermill'", name="papermill.execute")

    assert run_with(monkeypatch, action) == 2
    assert "needs papermill" in capsys.readouterr().err


def test_a_module_of_ours_that_is_missing_is_not_hidden(monkeypatch) -> None:
    def action(_):
        raise ModuleNotFoundError("No module named 'sprat.x'", name="sprat.x")

    with pytest.raises(ModuleNotFoundError):
        run_with(monkeypatch, action)


def test_no_command_shows_usage(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "usage: chapterhouse" in capsys.readouterr().err
