"""Columns on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.widths import fitted, padded, visible, width

texts = st.text("abc 北京e\u0301😀ｱＡ\u200dع", max_size=12)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("abc", 3),
        ("北京", 4),
        ("e\u0301", 1),
        ("Ａｱ", 3),
        ("😀", 2),
        ("a\u200db", 2),
        ("é", 1),
    ],
)
def test_known_widths(text: str, columns: int) -> None:
    assert width(text) == columns


@given(text=texts, columns=st.integers(1, 12))
def test_what_is_cut_fits_and_begins_the_same(text: str, columns: int) -> None:
    cut = fitted(text, columns)
    assert width(cut) <= columns
    if cut != text:
        assert cut.endswith("…") and text.startswith(cut[:-1]) and width(text) > columns
        longer = text[: len(cut)]  # one more character would not have fitted
        assert width(longer) + 1 > columns
    assert width(padded(text, columns)) == max(columns, width(text))


def test_nothing_steers_the_terminal() -> None:
    assert visible("a\x1b[31mb\x00\x9bc") == "a␛[31mb␀⟨U+009B⟩c"
    assert visible("a\u202eb\u2067\ud800") == "a⟨U+202E⟩b⟨U+2067⟩⟨U+D800⟩"
    assert visible("a\tb\r\nc\u2028d") == "a b  c d"
    assert visible("北京 مرحبا 😀 e\u0301") == "北京 مرحبا 😀 e\u0301"
