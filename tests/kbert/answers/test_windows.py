"""Windows of a context: they cover it, keep facts to whole mentions, and know where answers are."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from kbert import Injector, Tokenizer
from kbert.answers.questions import Gold, QuestionExample
from kbert.answers.search import Found, Span
from kbert.answers.task import Answering
from kbert.dropout import thinned
from kbert.errors import DataError
from kbert.tasks import IGNORED, Encoded, collate, labels_in, loss
from kbert.tree import SentenceTree

TASK = Answering(
    length=14,
    stride=3,
    max_question=4,
    max_answer=5,
    best_answers=4,
    unit="characters",
    threshold=None,
)
CONTEXT = "我爱北京在上海吃苹果哈，去上海。"


def question(text: str, start: int, *, context: str = CONTEXT) -> QuestionExample:
    return QuestionExample("q", "库克吃?", context, (Gold(text, start),), "f: q")


def facts(tree: SentenceTree) -> list[tuple[int, int]]:
    return [(tree.starts[node.start], tree.ends[node.stop - 1]) for node in tree.nodes]


@given(st.integers(1, 40), st.integers(9, 30), st.integers(1, 40))
def test_windows_cover_the_context_in_steps(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer, size: int, length: int, stride: int
) -> None:
    context = ("我爱北京在上海吃苹果" * 4)[:size]
    inject = Injector(tiny_store, tiny_tokenizer, max_length=30)
    trees = inject.windows("库克", context, length=length, stride=stride, max_text=4)
    room = length - 5
    spans = []
    for tree in trees:
        inner = [s for s, g in zip(tree.starts, tree.segments, strict=True) if g and s >= 0]
        assert inner == list(range(inner[0], inner[-1] + 1))
        spans.append((inner[0], inner[-1] + 1))
        assert sum(tree.trunk) == 5 + len(inner) <= length and len(tree) <= 30
        assert tree.pair == context
    assert spans[0][0] == 0 and spans[-1][1] == size
    step = min(stride, room)
    assert [start for start, _ in spans] == [step * n for n in range(len(spans))]
    assert all(stop - start == room for start, stop in spans[:-1])
    assert all(stop < size for _, stop in spans[:-1])


def test_one_window_is_what_a_pair_is(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    inject = Injector(tiny_store, tiny_tokenizer, max_length=64)
    (window,) = inject.windows("库克", CONTEXT, length=64, stride=8, max_text=8)
    assert window == inject("库克", CONTEXT)
    assert window.nodes


def test_a_cut_mention_carries_no_facts(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    inject = Injector(tiny_store, tiny_tokenizer, max_length=64)
    first, second = inject.windows("吃", "我爱北京在", length=7, stride=3, max_text=8)
    assert first.starts[3:6] == (0, 1, 2) and facts(first) == []
    assert second.starts[3:5] == (3, 4) and facts(second) == []
    whole, _ = inject.windows("吃", "我爱北京在", length=8, stride=4, max_text=8)
    assert facts(whole) == [(2, 4)]


def test_facts_do_not_move_answers(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    """Each window that holds the answer finds its text, whatever is injected before and in it."""
    example = question("京在上海", 3)
    inject = Injector(tiny_store, tiny_tokenizer, max_length=40)
    encoded = TASK.windows(example, inject)
    assert len(encoded) > 2 and sum(each.facts for each in encoded)
    held = 0
    for each in encoded:
        window = each.target
        tokens = each.array[:, each.words]
        assert (tokens[5] == 1).all() and each.words[0] == 0
        if window.starts[0] <= 3 and window.ends[-1] >= 7:
            held += 1
            span = window.starts[window.start - 1], window.ends[window.end - 1]
            assert CONTEXT[span[0] : span[1]] == "京在上海"
        else:
            assert (window.start, window.end) == (0, 0)
    assert 0 < held < len(encoded)


def test_pieces_of_words(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    """An answer within a piece, or over its edge, is widened to whole pieces."""
    example = question("b c", 1, context="ab cd 北")
    (encoded,) = TASK.windows(example, Injector(tiny_store, tiny_tokenizer))
    window = encoded.target
    assert window.starts.tolist() == [0, 1, 3, 4, 6]
    assert (window.start, window.end) == (2, 3)


def test_what_cannot_be_learnt_has_no_target(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    inject = Injector(tiny_store, tiny_tokenizer, max_length=40)
    encoded = TASK.windows(question("北京", -1), inject)
    batch = collate(TASK, encoded, tuple(range(len(encoded))), pad_id=0)
    assert (batch.targets == IGNORED).all()
    assert loss(torch.zeros(len(encoded), 2, 40), batch.targets, of=labels_in(batch.targets)) == 0
    (other,) = TASK.windows(question(" ", 1, context="我 爱"), inject)
    assert other.target[:2] == (IGNORED, IGNORED)


def perfect(encoded: list[Encoded]) -> list[Found]:
    """Predict by way of logits that say just what the targets are."""
    batch = collate(TASK, encoded, tuple(range(len(encoded))), pad_id=0)
    logits = torch.zeros(len(encoded), 2, batch.inputs.token_ids.shape[1])
    for row, token in enumerate(batch.targets):
        strength = 9.0 if token[0] else 1.0
        logits[row, 0, token[0]] = logits[row, 1, token[1]] = strength
    return TASK.decode(logits, [each.words for each in encoded])


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_perfect_logits_score_perfectly(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer, dropout: float
) -> None:
    """From text to targets to logits to text, over windows, with facts and with some left out."""
    inject = Injector(tiny_store, tiny_tokenizer, max_length=40)
    examples = [question("北京", 2), question("上海", 13), question("吃苹果哈", 7)]
    encoded = [each for example in examples for each in TASK.windows(example, inject)]
    encoded = list(thinned(encoded, rate=dropout, seed=1, epoch=0))
    gold = [each.target for each in encoded]
    assert TASK.score(gold, perfect(encoded)) == {"f1": 1.0, "exact_match": 1.0}
    wrong = [found._replace(spans=(Span(0, 1, 0.0),)) for found in perfect(encoded)]
    assert TASK.score(gold, wrong)["exact_match"] == 0.0


def test_silence_is_scored(tiny_store: TripleStore, tiny_tokenizer: Tokenizer) -> None:
    import dataclasses

    task = dataclasses.replace(TASK, threshold=0.0)
    inject = Injector(tiny_store, tiny_tokenizer, max_length=64)
    examples = [
        QuestionExample("a", "吃?", "我爱北京", (Gold("北京", 2),), "f"),
        QuestionExample("b", "吃?", "我爱北京", (), "f"),
    ]
    gold = [window.target for example in examples for window in task.windows(example, inject)]
    # Both lead by 1: silence is wrong of the first and right of the second.
    found = [Found(2.0, (Span(2, 4, 1.0),)), Found(2.0, (Span(2, 4, 1.0),))]
    scores = task.score(gold, found)
    assert scores["f1"] == scores["exact_match"] == 0.5
    assert (scores["answerable_f1"], scores["unanswerable_f1"]) == (0.0, 1.0)
    # The second leads by more: with a threshold between them both are right.
    found[1] = Found(4.0, (Span(2, 4, 1.0),))
    scores = task.score(gold, found)
    assert (scores["best_threshold"], scores["best_threshold_f1"]) == (1.0, 1.0)
    assert scores["f1"] == 0.5


def test_texts_without_tokens_are_refused_by_place(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    inject = Injector(tiny_store, tiny_tokenizer)
    with pytest.raises(DataError, match=r"f: q: .*no token"):
        TASK.windows(question("我", 0, context="\u200b"), inject)
    with pytest.raises(ValueError, match="room"):
        inject.windows("我爱", "我", length=5, stride=1, max_text=9)
    with pytest.raises(ValueError, match="stride"):
        inject.windows("我爱", "我", length=9, stride=0, max_text=9)


def test_numbers_that_are_none_end_in_no_error(
    tiny_store: TripleStore, tiny_tokenizer: Tokenizer
) -> None:
    encoded = TASK.windows(question("北京", 2), Injector(tiny_store, tiny_tokenizer))
    logits = torch.full((len(encoded), 2, 40), torch.nan)
    found = TASK.decode(logits, [each.words for each in encoded])
    assert all(each.spans for each in found)
