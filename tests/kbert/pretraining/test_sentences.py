"""Sentences of paragraphs: nothing is lost, and the rules are those that are written down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.pretraining.sentences import split_sentences

PIECES = st.sampled_from(
    [
        *"。！？；….!?，,:\"'“”」（）() \n\u3000·",
        "我们",
        "He",
        "he",
        "U.S",
        "Dr",
        "12",
        "한국",
        "م؟",
        "𠀀",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=40).map("".join)))
def test_joined_sentences_are_the_paragraph(paragraph: str) -> None:
    sentences = split_sentences(paragraph)
    assert "".join(sentences) == paragraph
    assert all(sentence.strip() for sentence in sentences) or not paragraph.strip()
    assert not any(sentence[0].isspace() for sentence in sentences[1:])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_sentences_are_not_cut_further(paragraph: str) -> None:
    if '"' not in paragraph:
        for sentence in split_sentences(paragraph):
            assert split_sentences(sentence) == [sentence]


@pytest.mark.parametrize(
    "sentences",
    [
        ["我爱你。", "“好的。”", "他说！", "走了？！", "嗯"],
        ["“好。”，他说。", "是吗？"],  # a comma goes on
        ["后来呢?", "没有!", "等等……", "我不知道；", "再说"],
        ['"你好。"', "他走了。", '"再见。"', "完"],  # ASCII quotes, without spaces
        ["（见上文。）", "「はい。」", "そうです。", "x"],
        ["版本1.5和www.a.com是文本。", "1.总则"],
        ["Go to 3.14 now. ", "Then stop! ", '"Why?" ', "(Yes.) ", "“No…” ", "End"],
        ["He asked why? and when. ", "Nobody e.g. knew"],
        ["Dr. Smith of the U.S. Army met J. R. Jones. ", "So did I. ", "Then"],
        ["See No. 5, Fig. 3 and pp. 7. ", "He said no. ", "Then"],
        ["1. Introduction. ", "It was 1999. ", "20 years later"],
        ["Wait . . . ", "What?! ", "No"],
        ["그는 갔다. ", "그녀도"],
        ["यह है। ", "वह"],
        ["كيف؟ ", "نعم"],
        ["no end"],
        ["  。"],
        [],
    ],
)
def test_rules(sentences: list[str]) -> None:
    assert split_sentences("".join(sentences)) == sentences


def test_time_is_linear_in_long_runs() -> None:
    for run in ("." * 200_000, '。"' * 100_000, "a. " * 100_000, "。” " * 50_000, "(" * 200_000):
        assert "".join(split_sentences("A" + run + "B")) == "A" + run + "B"
