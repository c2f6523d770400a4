"""CSV records against Python's csv module, and what that module cannot read."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kbert.quoting import split_record, without_end

FIELDS = st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4)


def lines_of(text: str) -> Iterator[str]:
    """Cut at line feeds alone, and keep them."""
    *whole, last = text.split("\n")
    return iter([line + "\n" for line in whole] + [last] * bool(last))


def records(text: str) -> list[list[str]] | None:
    """Every record of a text, or None where one is refused."""
    lines = lines_of(text)
    try:
        return [split_record(line, further=lines) for line in lines]
    except ValueError:
        return None


@settings(max_examples=500)
@given(text=st.text('ab,"\n', max_size=16))
@example(text='"a""\n""b",""\n"",a"b')
@example(text='"a\n')
@example(text='a,"b" ,c')
def test_records_are_those_of_the_csv_module(text: str) -> None:
    try:
        expected = list(csv.reader(lines_of(text), strict=True))
    except csv.Error:
        assert records(text) is None
    else:
        assert records(text) == [cells or [""] for cells in expected]


@given(table=st.lists(FIELDS, max_size=4), end=st.sampled_from(["\n", "\r\n"]))
def test_whatever_is_quoted_comes_back(table: list[list[str]], end: str) -> None:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table]
    assert records("".join(line + end for line in lines)) == table


@given(cells=FIELDS)
def test_without_quotes_only_commas_and_the_line_end_count(cells: list[str]) -> None:
    row = ",".join(cells).replace('"', "").replace("\n", "")
    assert records(row + "\r\n") == [row.split(",")]


@pytest.mark.parametrize(
    ("line", "rest"), [("a\r\n", "a"), ("a\n", "a"), ("a\r\r\n", "a\r"), ("a\n\n", "a\n"), ("", "")]
)
def test_one_line_end_is_taken_away(line: str, rest: str) -> None:
    assert without_end(line) == rest


def test_a_long_record_takes_linear_time() -> None:
    wide = ",".join(['"a"'] * 50_000)
    assert records(wide + "\n") == [["a"] * 50_000]
    tall = '"' + '"",\n' * 100_000 + '"'
    assert records(tall) == [['",\n' * 100_000]]
