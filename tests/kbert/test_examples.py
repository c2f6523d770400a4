"""Joining words to text, and tags: against BERT's own pre-tokeniser."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from kbert.examples import join_words, split_tag, split_words

words = st.lists(
    st.text("aé9_.-“中国〇㐀豈﹏。，「〜（Ａ＋￥カ한\U00020000\U0002b825\U00030000😀", min_size=1),
    max_size=8,
)


@pytest.mark.parametrize(
    ("given_words", "text"),
    [
        (["蒂", "姆", "在", "北", "京"], "蒂姆在北京"),
        (["7", "3", "岁", "，", "CT", "示"], "7 3岁，CT示"),
        (["Tim", "Cook", "访", "问", "iPhone", "15"], "Tim Cook访问iPhone 15"),
        (["U.S.", ",", "yes"], "U.S. , yes"),
        (["（", "a", "b", "）"], "（a b）"),
        (["Ａ", "＋", "カ"], "Ａ ＋ カ"),
        ([], ""),
    ],
)
def test_spaces_stand_where_no_chinese_character_meets(given_words: list[str], text: str) -> None:
    assert join_words(given_words)[0] == text


@given(words)
def test_spans_give_back_the_words(split: list[str]) -> None:
    text, spans = join_words(split)
    assert [text[start:end] for start, end in spans] == split
    assert text.replace(" ", "") == "".join(split)


@given(words)
def test_no_token_belongs_to_two_words(split: list[str]) -> None:
    text, spans = join_words(split)
    apart = BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)
    tokens = BertPreTokenizer().pre_tokenize_str(apart.normalize_str(text))
    lone = [
        BertPreTokenizer().pre_tokenize_str(apart.normalize_str(text[start:end]))
        for start, end in spans
    ]
    assert [token for token, _ in tokens] == [token for part in lone for token, _ in part]


def test_every_character_that_joins_is_set_apart_by_bert() -> None:
    apart = BertNormalizer(clean_text=True, strip_accents=False, lowercase=False)
    joining = [
        character
        for character in map(chr, (*range(0xD800), *range(0xE000, 0x32000)))
        if len(join_words(["a", character, "b"])[0]) == 3
    ]
    for character in joining:
        normal = apart.normalize_str(f"a{character}b")
        tokens = [token for token, _ in BertPreTokenizer().pre_tokenize_str(normal)]
        assert tokens == ["a", character, "b"]
    assert sum(unicodedata.category(c) == "Lo" for c in joining) > 70_000


def test_an_empty_word_is_refused() -> None:
    with pytest.raises(ValueError, match="word 2 of 3 is empty"):
        join_words(["a", "", "b"])


def test_tags_are_split_at_the_first_hyphen() -> None:
    assert split_tag("O") == ("O", "")
    assert split_tag("B-LOC") == ("B", "LOC")
    assert split_tag("S-bio-drug") == ("S", "bio-drug")
    with pytest.raises(ValueError, match="'M-LOC' is not a tag"):
        split_tag("M-LOC")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(U.S.),", ["(", "U.S.", ")", ","]),
        ("  Al-Qaida took 3,000\n", ["Al-Qaida", "took", "3,000"]),
        ('"Wait..." etc.', ['"', "Wait", ".", ".", ".", '"', "etc", "."]),
        ("in the U.S..", ["in", "the", "U.S.", "."]),
        ("p.m. don't e.g.: $5!", ["p.m.", "don't", "e.g.", ":", "$", "5", "!"]),
        ("...", [".", ".", "."]),
        ("我在U.S.工作，（A-B）。", [*"我在", "U.S.", *"工作，（", "A-B", *"）。"]),
        ("a\u3000b\tc\u2028d", ["a", "b", "c", "d"]),
        ("", []),
        (" \n", []),
    ],
)
def test_raw_text_is_split_into_words(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in split_words(text)] == expected


TEXTS = st.text("ab.A9-_$€“”'中国，（。é\u0301\U00020000\U00030000😀 \t\u3000", max_size=25)


@given(TEXTS)
def test_split_words_cover_the_text_and_are_cut_where_bert_cuts(text: str) -> None:
    spans = split_words(text)
    taken = [at for start, end in spans for at in range(start, end)]
    assert taken == [at for at, character in enumerate(text) if not character.isspace()]
    apart = BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)

    def tokens(part: str) -> list[str]:
        split = BertPreTokenizer().pre_tokenize_str(apart.normalize_str(part))
        return [token for token, _ in split]

    assert tokens(text) == [token for start, end in spans for token in tokens(text[start:end])]


@given(TEXTS)
def test_a_split_word_is_a_word(text: str) -> None:
    """Its edges are letters, unless it is a mark; its words, split again, are the same."""
    for start, end in split_words(text):
        word = text[start:end]
        assert split_words(word) == ((0, len(word)),)
        if len(word) > 1:
            edges = word[0] + ("" if word.endswith(".") and "." in word[:-1] else word[-1])
            assert not any(unicodedata.category(edge).startswith("P") for edge in edges)
