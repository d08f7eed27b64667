"""Normalised outputs: equal runs become equal, and nothing that the cell said is lost."""

from __future__ import annotations

import copy
import tempfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapterhouse.run.normalise import clean_outputs, clean_stream, clean_text, strip_ansi


def stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def test_chunks_of_a_stream_are_merged() -> None:
    whole = clean_outputs([stream("one\ntwo\n")], {})
    assert clean_outputs([stream("one\nt"), stream("wo\n")], {}) == whole


def test_how_two_streams_interleave_does_not_matter() -> None:
    out, err = stream("a\n"), stream("b\n", "stderr")
    assert clean_outputs([out, err], {}) == clean_outputs([err, out], {})


def test_a_figure_between_two_streams_stays_between_them() -> None:
    outputs = [stream("a"), shown(**{"text/plain": "figure"}), stream("b")]
    kinds = [output["output_type"] for output in clean_outputs(outputs, {})]
    assert kinds == ["stream", "display_data", "stream"]


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        ("10%\r50%\r100%\n", "100%\n"),
        ("10%\r100%\r", "100%"),
        ("dos\r\nline\r\n", "dos\nline\n"),
        ("abc\b\b\bxyz\n", "xyz\n"),
        ("\b\b\n", "\n"),
        ("\x1b[2K\x1b[1Aup\n", "up\n"),
        ("\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n"),
        ("CPU times: user 3 ms\nWall time: 3.1 s\nkept\n", "kept\n"),
        ("the Wall time: is kept\n", "the Wall time: is kept\n"),
    ],
)
def test_a_stream_is_what_a_terminal_shows_at_the_end(raw, left) -> None:
    assert clean_stream(raw, {}) == left


def test_addresses_and_process_numbers_are_made_equal() -> None:
    cell = f"{tempfile.gettempdir()}/ipykernel_%s/%s.py:1: UserWarning: x"
    one = clean_text("<object object at 0x7f1234567890>\n" + cell % (11, 22), {})
    two = clean_text("<object object at 0x55aa00000010>\n" + cell % (33, 44), {})
    assert one == two
    assert "object object at 0x…" in one


def test_numbers_in_hexadecimal_are_kept() -> None:
    assert clean_text("colour 0xff00ff and mask 0xdeadbeef", {}) == (
        "colour 0xff00ff and mask 0xdeadbeef"
    )


def test_temporary_folders_get_a_steady_name() -> None:
    folders = {"/build/place/tmpab/cwd": ".", "/build/place/tmpab": "…"}
    assert clean_text("/build/place/tmpab/cwd/x and /build/place/tmpab/y", folders) == "./x and …/y"


def test_pictures_and_records_are_left_alone() -> None:
    data = {
        "image/png": "iVBOR at 0x7f1234567890",
        "application/vnd.sprat.claim+json": {"text": "at 0x7f1234567890", "held": True},
    }
    (output,) = clean_outputs([shown(**data)], {})
    assert output["data"] == data


def test_an_error_keeps_its_name_and_loses_its_addresses() -> None:
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "<a at 0x7f1234567890>",
        "traceback": ["line at 0x7f1234567890"],
    }
    (output,) = clean_outputs([error], {})
    assert output["ename"] == "ValueError"
    assert output["evalue"] == "<a at 0x…>"
    assert output["traceback"] == ["line at 0x…"]


def test_a_stream_of_nothing_is_dropped() -> None:
    assert clean_outputs([stream("Wall time: 1 s\n")], {}) == []


def test_the_input_is_not_changed() -> None:
    outputs = [stream("a\rb"), shown(**{"text/plain": "<x at 0x7f1234567890>"})]
    before = copy.deepcopy(outputs)
    clean_outputs(outputs, {})
    assert outputs == before


text = st.text(alphabet="ab\r\n\b\x1b[0mK ", max_size=40)


@given(st.lists(st.tuples(text, st.sampled_from(["stdout", "stderr"])), max_size=6))
def test_cleaning_twice_changes_nothing_more(chunks) -> None:
    once = clean_outputs([stream(t, n) for t, n in chunks], {})
    assert clean_outputs(once, {}) == once


@given(st.text(max_size=200))
def test_text_without_marks_is_what_it_was(plain) -> None:
    kept = plain.translate(dict.fromkeys(map(ord, "\x1b\x07")))
    assert strip_ansi(kept) == kept


def test_megabytes_on_one_line_are_cleaned_in_a_blink() -> None:
    started = time.process_time()
    clean_stream("y" * 4_000_000 + "\n" + "a/b" * 1_000_000 + "x\b" * 1_000_000, {})
    assert time.process_time() - started < 10


def test_a_display_that_was_wiped_away_leaves_nothing() -> None:
    wiped = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/plain": "", "text/html": ""},
    }
    kept = {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "here"}}
    assert clean_outputs([wiped, kept], {}) == [kept]
