from __future__ import annotations

import sys
import unicodedata

import pytest

from graphs.writing import is_spaced, joint, spaced_table

SPACED = "aZéßİ0９Ａ٣ΩЖяאبक़ा_\u0301ⅧʰნⁿǅꙀ𝒜"
UNSPACED_LETTERS = "北㐀𠀀豈々〇あアｱーㄅ가ㅎ\u1100กำเລကខབꦀꦗᬅᦀ\u3099ꀀ𗀀㈠①ⓐ❶"
NO_LETTERS = " \t\u3000.,，。·-'\"()（）《》€+°😀\ufe0f\u20e3\U000e0100\u200d\0\u2028\ue000"


@pytest.mark.parametrize("char", SPACED)
def test_letters_digits_and_marks_of_spaced_scripts(char: str) -> None:
    assert is_spaced(char)


@pytest.mark.parametrize("char", UNSPACED_LETTERS)
def test_letters_of_scripts_without_spaces(char: str) -> None:
    assert unicodedata.category(char)[0] in "LMNS"
    assert not is_spaced(char)


@pytest.mark.parametrize("char", NO_LETTERS)
def test_what_belongs_to_no_word(char: str) -> None:
    assert not is_spaced(char)


def test_no_letter_of_an_unspaced_script_is_spaced_anywhere() -> None:
    scripts = ("CJK ", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL", "THAI", "LAO ", "KHMER")
    scripts += ("MYANMAR", "TIBETAN", "JAVANESE", "HALFWIDTH KATAKANA", "HALFWIDTH HANGUL", "YI ")
    wrong = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if is_spaced(char) and unicodedata.name(char, "").startswith(scripts)
    ]
    assert wrong == []


def test_every_latin_greek_and_cyrillic_letter_is_spaced() -> None:
    scripts = ("LATIN ", "GREEK ", "CYRILLIC ", "FULLWIDTH LATIN", "ARABIC LETTER", "DEVANAGARI")
    wrong = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.name(char, "").startswith(scripts)
        and unicodedata.category(char)[0] == "L"
        and not is_spaced(char)
    ]
    assert wrong == []


def test_the_table_agrees_with_the_function_and_is_read_only() -> None:
    table = spaced_table()
    assert table.shape == (sys.maxunicode + 1,)
    assert all(table[code] == is_spaced(chr(code)) for code in range(0, sys.maxunicode + 1, 7))
    with pytest.raises(ValueError, match="read-only"):
        table[0] = True


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("CEO", "Apple", " "),
        ("is_a", "City", " "),
        ("首都", "中国", ""),
        ("CEO", "苹果", ""),
        ("苹果", "CEO", ""),
        ("age:", "7", ""),
        ("높이", "8", ""),
        ("вид", "Ä", " "),
        ("", "Apple", ""),
        ("CEO", "", ""),
    ],
)
def test_a_space_joins_two_words(left: str, right: str, expected: str) -> None:
    assert joint(left, right) == expected
