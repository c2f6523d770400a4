"""What is shown on a terminal stays on its line and in its column."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from graphs.commands.layout import bar, share, shown, table, width


@given(st.text(max_size=100))
def test_a_name_is_one_harmless_line(name: str) -> None:
    line = shown(name)
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in line)
    if name.isprintable() and len(name) <= 60:
        assert line == name


def test_a_long_name_is_cut() -> None:
    assert shown("a" * 61) == "a" * 59 + "…"
    assert shown("a" * 99, limit=None) == "a" * 99
    assert shown("a\tb\u2028\U000e0001") == "a\\u0009b\\u2028\\U000e0001"
    assert shown("全\u3000角") == "全\u3000角"


def test_columns_are_aligned_by_what_a_terminal_shows() -> None:
    assert (width("abc"), width("北京"), width("e\u0301"), width("Ａ")) == (3, 4, 1, 2)
    lines = table([["北京", "1", "x"], ["a", "22", "y"]], right=(1,))
    assert lines == ["  北京   1  x", "  a     22  y"]
    assert table([]) == []


def test_bars_and_shares() -> None:
    assert [len(bar(value, most=1000)) for value in (0, 1, 500, 1000)] == [0, 1, 20, 40]
    assert (share(1, 3), share(0, 3), share(0, 0)) == ("33.3%", "0.0%", "–")
