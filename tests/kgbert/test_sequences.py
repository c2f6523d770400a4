"""Assembled inputs against lists put together one triple at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import SettingsError
from kgbert.pieces import Pieces
from kgbert.sequences import Form, Sequences, Truncation
from kgbert.truncation import truncate, truncate_original

CLS, SEP = 901, 902


def pieces_of(texts: list[list[int]]) -> Pieces:
    """Make a table without a tokeniser."""
    seen = list(dict.fromkeys(map(tuple, texts)))
    flat = [piece for text in seen for piece in text]
    begins = np.cumsum([0, *map(len, seen)])
    distinct = np.array([seen.index(tuple(text)) for text in texts], dtype=np.int32)
    return Pieces(
        token_ids=np.array(flat, dtype=np.int32),
        starts=begins[distinct].astype(np.int64),
        lengths=np.array(list(map(len, texts)), dtype=np.int32),
        distinct=distinct,
    )


TABLE = st.lists(st.lists(st.integers(0, 4), max_size=7), min_size=1, max_size=6)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]], Any]:
    entities, relations = draw(TABLE), draw(TABLE)
    entity, relation = st.integers(0, len(entities) - 1), st.integers(0, len(relations) - 1)
    triples = draw(st.lists(st.tuples(entity, relation, entity), min_size=1, max_size=12))
    return entities, relations, np.array(triples, dtype=np.int32)


def by_hand(
    parts: list[list[int]], *, max_length: int, truncation: Truncation = "longest"
) -> tuple[list[int], list[int]]:
    """Put one input together with lists."""
    rule = truncate_original if truncation == "original" else truncate
    kept = rule(np.array(list(map(len, parts))), room=max_length - len(parts) - 1)
    tokens, segments = [CLS], [0]
    for number, (part, count) in enumerate(zip(parts, kept.tolist(), strict=True)):
        tokens += [*part[:count], SEP]
        segments += [number % 2] * (count + 1)
    return tokens, segments


def build(
    entities: list[list[int]],
    relations: list[list[int]],
    *,
    max_length: int,
    form: Form = "triple",
    truncation: Truncation = "longest",
) -> Sequences:
    return Sequences.build(
        entities=pieces_of(entities),
        relations=pieces_of(relations),
        max_length=max_length,
        cls_id=CLS,
        sep_id=SEP,
        form=form,
        truncation=truncation,
    )


def check(sequences: Sequences, triples: Any, expected: list[tuple[list[int], list[int]]]) -> None:
    """Hold lengths, tokens and segments of every group of one length to `expected`."""
    lengths = sequences.lengths(triples)
    assert lengths.tolist() == [len(tokens) for tokens, _ in expected]
    for length in set(lengths.tolist()):
        group = (lengths == length).nonzero()
        rows = group[0] if isinstance(group, tuple) else group[:, 0]
        made = sequences.assemble(triples[rows])
        wanted = [expected[row] for row in rows.tolist()]
        assert made.token_ids.tolist() == [tokens for tokens, _ in wanted]
        assert made.segments.tolist() == [segments for _, segments in wanted]
        assert made.token_ids.dtype in (np.int64, torch.int64)
        assert made.segments.dtype == made.token_ids.dtype


@given(cases(), st.integers(7, 20), st.sampled_from(["longest", "original"]))
def test_triples_read_as_if_put_together_by_hand(
    case: tuple[list[list[int]], list[list[int]], Any], max_length: int, truncation: Truncation
) -> None:
    entities, relations, triples = case
    sequences = build(entities, relations, max_length=max_length, truncation=truncation)
    expected = [
        by_hand(
            [entities[h], relations[r], entities[t]], max_length=max_length, truncation=truncation
        )
        for h, r, t in triples.tolist()
    ]
    check(sequences, triples, expected)
    check(sequences.to("cpu"), torch.from_numpy(triples), expected)


@given(cases(), st.integers(5, 16))
def test_pairs_read_head_and_tail(
    case: tuple[list[list[int]], list[list[int]], Any], max_length: int
) -> None:
    entities, relations, triples = case
    sequences = build(entities, relations, max_length=max_length, form="pair")
    expected = [
        by_hand([entities[h], entities[t]], max_length=max_length) for h, _, t in triples.tolist()
    ]
    check(sequences, triples, expected)
    check(sequences.to("cpu"), torch.from_numpy(triples), expected)


@pytest.mark.parametrize("form", ["triple", "pair"])
def test_identities_are_equal_where_all_texts_are(form: Form) -> None:
    entities, relations = [[1], [2, 3], [1], []], [[4], [4], [5]]
    sequences = build(entities, relations, max_length=9, form=form)
    triples = np.array(list(np.ndindex(4, 3, 4)), dtype=np.int32)
    texts = [
        (tuple(entities[h]), tuple(relations[r]) if form == "triple" else (), tuple(entities[t]))
        for h, r, t in triples.tolist()
    ]
    for numbers in (
        sequences.identities(triples),
        sequences.to("cpu").identities(torch.from_numpy(triples)),
    ):
        pairs = set(zip(numbers.tolist(), texts, strict=True))
        assert len(pairs) == len(set(texts)) == len({number for number, _ in pairs})


def test_the_layout_of_a_triple_and_a_pair() -> None:
    entities, relations = [[1, 2], [3]], [[5]]
    triples = np.array([[0, 0, 1]], dtype=np.int32)
    made = build(entities, relations, max_length=20).assemble(triples)
    assert made.token_ids.tolist() == [[CLS, 1, 2, SEP, 5, SEP, 3, SEP]]
    assert made.segments.tolist() == [[0, 0, 0, 0, 1, 1, 0, 0]]
    made = build(entities, [], max_length=20, form="pair").assemble(triples)
    assert made.token_ids.tolist() == [[CLS, 1, 2, SEP, 3, SEP]]
    assert made.segments.tolist() == [[0, 0, 0, 0, 1, 1]]


def test_several_lengths_and_no_triples_are_refused() -> None:
    sequences = build([[1], [1, 2]], [[3]], max_length=20)
    for triples in ([[0, 0, 0], [0, 0, 1]], np.empty((0, 3))):
        with pytest.raises(ValueError, match="of one length"):
            sequences.assemble(np.array(triples, dtype=np.int32))


@pytest.mark.parametrize(("form", "least"), [("triple", 7), ("pair", 5)])
def test_a_length_without_room_is_refused(form: Form, least: int) -> None:
    assert build([[1]], [[2]], max_length=least, form=form).room == (least - 1) // 2
    with pytest.raises(SettingsError, match=f"max_length is {least - 1}; a {form} needs at least"):
        build([[1]], [[2]], max_length=least - 1, form=form)


def test_the_original_has_no_other_rule_for_pairs() -> None:
    with pytest.raises(SettingsError, match="ask for that"):
        build([[1]], [[2]], max_length=9, form="pair", truncation="original")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_device_assembles_the_same() -> None:
    rng = np.random.default_rng(0)
    entities = [rng.integers(0, 900, n).tolist() for n in rng.integers(0, 30, 50)]
    relations = [[1, 2], [3], [4, 5, 6]]
    triples = np.stack([rng.integers(0, n, 500) for n in (50, 3, 50)], axis=1)
    for form in ("triple", "pair"):
        sequences = build(entities, relations, max_length=24, form=form)  # type: ignore[arg-type]
        there, rows = sequences.to("cuda"), torch.from_numpy(triples).cuda()
        lengths = sequences.lengths(triples)
        assert there.lengths(rows).tolist() == lengths.tolist()
        assert there.identities(rows).tolist() == sequences.identities(triples).tolist()
        for length in set(lengths.tolist()):
            group = np.flatnonzero(lengths == length)
            made, wanted = there.assemble(rows[group]), sequences.assemble(triples[group])
            assert made.token_ids.is_cuda
            assert made.token_ids.tolist() == wanted.token_ids.tolist()
            assert made.segments.tolist() == wanted.segments.tolist()
