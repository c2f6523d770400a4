from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kbert.batch import Batch
from kbert.nn.visibility import Visibility
from kbert.pretraining.targets import (
    IGNORED,
    OBJECTIVES,
    Labelled,
    SpanTargets,
    Targets,
    causal,
    count,
)

LENGTH = 12


def integers(values: Any) -> NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


@st.composite
def masked_rows(draw: st.DrawFn) -> list[list[tuple[int, int, tuple[int, int]]]]:
    """Rows of (column, label, span): spans apart from each other and from the row's ends."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        cuts = draw(st.lists(st.integers(1, LENGTH - 1), unique=True, max_size=4).map(sorted))
        row = []
        for start, end in zip(cuts[::2], cuts[1::2], strict=False):
            row += [(c, draw(st.integers(0, 99)), (start, end)) for c in range(start, end)]
        rows.append(row)
    return rows


@given(masked_rows(), st.integers(1, 4))
def test_rows_are_laid_end_to_end(
    rows: list[list[tuple[int, int, tuple[int, int]]]], longest: int
) -> None:
    positions = [integers([column for column, _, _ in row]) for row in rows]
    labels = [integers([label for _, label, _ in row]) for row in rows]
    spans = [integers([span for _, _, span in row]).reshape(-1, 2) for row in rows]
    flat = Labelled.from_rows(positions, labels, length=LENGTH)
    inner = SpanTargets.from_rows(
        positions, labels, spans, length=LENGTH, boundary_positions=longest
    )
    expected = [(r, *entry) for r, row in enumerate(rows) for entry in row]
    assert flat.places.tolist() == [r * LENGTH + column for r, column, _, _ in expected]
    assert flat.labels.tolist() == [label for _, _, label, _ in expected]
    assert inner.left.tolist() == [r * LENGTH + start - 1 for r, _, _, (start, _) in expected]
    assert inner.right.tolist() == [r * LENGTH + end for r, _, _, (_, end) in expected]
    for k, (_, column, label, (start, _)) in enumerate(expected):
        far = column - start >= longest
        assert inner.labels[k] == (IGNORED if far else label)
        assert inner.offsets[k] == (0 if far else column - start)
    for tensor in (flat.places, flat.labels, inner.left, inner.right, inner.offsets, inner.labels):
        assert tensor.dtype == torch.int64
    counts = Targets(masked=flat, boundary=inner).counts()
    near = sum(column - start < longest for _, column, _, (start, _) in expected)
    assert counts.tolist() == [len(expected), near, 0, 0]


@pytest.mark.parametrize("column", [-1, 4])
def test_a_place_in_another_row_is_refused(column: int) -> None:
    with pytest.raises(ValueError, match=rf"column {column} is outside a row of 4"):
        Labelled.from_rows([integers([1, column])], [integers([7, 7])], length=4)


@pytest.mark.parametrize(
    ("position", "span", "message"),
    [
        (2, (3, 4), "not in its span"),
        (2, (1, 2), "not in its span"),
        (0, (0, 2), "column -1 is outside"),
        (3, (2, 4), "column 4 is outside"),
    ],
)
def test_a_span_without_a_boundary_is_refused(
    position: int, span: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SpanTargets.from_rows([integers([position])], [integers([5])], [integers([span])], length=4)


def test_numbers_that_differ_are_refused() -> None:
    one, two = integers([1]), integers([1, 2])
    with pytest.raises(ValueError, match="positions and labels differ"):
        Labelled.from_rows([one], [two], length=4)
    with pytest.raises(ValueError, match="positions and spans differ"):
        SpanTargets.from_rows([two], [two], [integers([[1, 2]])], length=4)


def test_targets_of_a_step_are_counted_without_those_to_be_ignored() -> None:
    part = Labelled(torch.arange(3), torch.tensor([5, IGNORED, 0]))
    span = SpanTargets(*torch.arange(12).view(4, 3))
    targets = [
        Targets(masked=part, relation=part),
        Targets(masked=part, boundary=span, causal=part),
    ]
    total = count(targets)
    assert dict(zip(OBJECTIVES, total.tolist(), strict=True)) == {
        "masked": 4, "boundary": 3, "causal": 2, "relation": 2,
    }  # fmt: skip
    moved = targets[1].to("meta")
    assert moved.masked is not None and moved.masked.labels.is_meta
    assert moved.boundary is not None and moved.boundary.offsets.is_meta
    assert moved.relation is None


def test_each_token_of_a_document_predicts_the_next() -> None:
    # Row 0 packs two documents and has padding; row 1 is one document to its end.
    ids = torch.tensor([[11, 12, 13, 21, 22, 0, 0], [31, 32, 33, 34, 35, 36, 37]])
    document = torch.tensor([[0, 0, 0, 1, 1, 2, 2], [0] * 7], dtype=torch.int32)
    zero = torch.zeros_like(document)
    visibility = Visibility(
        document=document, enter=zero, leave=zero + 1, trunk=zero == 0,
        query_rank=zero, key_rank=zero,
    )  # fmt: skip
    batch = Batch(ids, zero.long(), zero.long(), visibility, torch.tensor([5, 7]))
    ordered, targets = causal(batch)
    pairs = zip(ids.flatten()[targets.places].tolist(), targets.labels.tolist(), strict=True)
    assert list(pairs) == [(11, 12), (12, 13), (21, 22), *((n, n + 1) for n in range(31, 37))]
    mask = ordered.visibility.mask()[:, 0]
    for row in range(2):
        for query in range(7):
            for key in range(7):
                same = document[row, query] == document[row, key]
                assert mask[row, query, key] == (bool(same) and key <= query)
    assert ordered.token_ids is ids


def test_a_tree_has_no_next_token() -> None:
    batch = Batch(
        torch.ones(1, 3, dtype=torch.int64), torch.arange(3)[None], torch.zeros(1, 3).long(),
        Visibility.plain([3], length=3), torch.tensor([3]),
    )  # fmt: skip
    causal(batch)
    batch.visibility.trunk[0, 1] = False
    with pytest.raises(ValueError, match="branches"):
        causal(batch)
