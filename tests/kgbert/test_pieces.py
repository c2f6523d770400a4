"""Tables of pieces: what a text's pieces are, what is shared, what never gets in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kbert.tokenizer import Tokenizer
from kgbert.pieces import Pieces

TEXTS = st.lists(st.text(alphabet="abAB [SEP]北京\n", max_size=6), max_size=12)


@given(texts=TEXTS, cap=st.none() | st.integers(0, 5))
def test_each_text_has_the_pieces_of_the_tokenizer(
    tiny_tokenizer: Tokenizer, texts: list[str], cap: int | None
) -> None:
    pieces = Pieces.from_texts(texts, tokenizer=tiny_tokenizer, cap=cap)
    expected = [tiny_tokenizer.encode(text).ids[:cap] for text in texts]
    assert [pieces[number].tolist() for number in range(len(pieces))] == expected
    assert pieces.lengths.tolist() == [len(ids) for ids in expected]
    seen = list(dict.fromkeys(map(tuple, expected)))
    assert pieces.distinct.tolist() == [seen.index(tuple(ids)) for ids in expected]
    assert pieces.distinct_count == len(seen)
    assert len(pieces.token_ids) == sum(map(len, seen))  # equal ones are held once
    types = pieces.token_ids.dtype, pieces.starts.dtype, pieces.lengths.dtype
    assert types == (np.int32, np.int64, np.int32)


def test_a_name_never_becomes_a_special_token(tiny_tokenizer: Tokenizer) -> None:
    special = {tiny_tokenizer.cls_id, tiny_tokenizer.sep_id, tiny_tokenizer.pad_id}
    pieces = Pieces.from_texts(["[SEP]", "[CLS] 北京", "[PAD]"], tokenizer=tiny_tokenizer)
    assert len(pieces.token_ids) >= 9
    assert special.isdisjoint(pieces.token_ids.tolist())


def test_texts_that_differ_in_case_alone_share_their_pieces(tiny_tokenizer: Tokenizer) -> None:
    pieces = Pieces.from_texts(["ab", "AB", " ab "], tokenizer=tiny_tokenizer)
    assert pieces.distinct.tolist() == [0, 0, 0]
