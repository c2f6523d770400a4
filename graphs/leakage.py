"""Find what the train part of a benchmark gives away about dev and test.

`graphs.leakage_report` says what is counted, `graphs.redundancy` which relations are redundant.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from graphs.content import first_of_equals
from graphs.errors import GraphError
from graphs.filters import FilterIndex
from graphs.leakage_report import (
    Figures,
    HeldOutReport,
    LeakageReport,
    PairReport,
    PartReport,
    TextReport,
)
from graphs.redundancy import THRESHOLD, RelationPair, companions, relation_pairs
from graphs.splits import PARTS, Split, Splits

_LARGEST = 5


def leakage(splits: Splits, *, threshold: float = THRESHOLD) -> LeakageReport:
    """Count what train gives away about dev and test; `LeakageReport` says what is counted.

    Two relations are inverses, or duplicates, where they share more than `threshold` of the pairs
    of each. Raises `GraphError` for a threshold that is no share.
    """
    if not 0 <= threshold < 1:
        raise GraphError(f"threshold is {threshold}; it must be a share from 0 to below 1")
    indexes = {part: FilterIndex.build(splits, parts=(part,)) for part in PARTS}
    train = indexes["train"]
    pairs = relation_pairs(
        FilterIndex.build(splits), relations=len(splits.relations), threshold=threshold
    )
    dev, dev_hits = _held_out(splits, splits.dev, train=train, pairs=pairs)
    test, test_hits = _held_out(splits, splits.test, train=train, pairs=pairs)
    return LeakageReport(
        name=splits.name,
        entities=len(splits.entities),
        relations=len(splits.relations),
        threshold=threshold,
        train=_part(splits.train, train=train),
        dev=dev,
        test=test,
        overlap={
            f"{one}-{other}": int(indexes[one].contains(indexes[other].rows).sum())
            for one, other in combinations(PARTS, 2)
        },
        pairs=tuple(
            _named(pair, splits=splits, dev=dev_hits[pair], test=test_hits[pair]) for pair in pairs
        ),
        texts=_shared_texts(splits),
    )


def _part(split: Split, *, train: FilterIndex) -> PartReport:
    rows = split.rows
    labelled = rows if split.labels is None else np.vstack([rows, split.labels])
    return PartReport(
        lines=len(split),
        triples=split.positives.shape[1],
        repeats=len(split) - len(first_of_equals(labelled)),
        contradicted=int(train.contains(split.negatives).sum()),
    )


def _held_out(
    splits: Splits, split: Split, *, train: FilterIndex, pairs: list[RelationPair]
) -> tuple[HeldOutReport, Counter[RelationPair]]:
    count = len(splits.relations)
    entities, relations = _unseen(splits)
    marks, hits = _marks(split.positives, train=train, pairs=pairs, relations=count)
    heads, links, tails = split.rows
    unseen = entities[heads] | relations[links] | entities[tails]
    places = {name: split.positives[1, mark] for name, mark in marks.items()}
    places |= {"lines": links, "triples": split.positives[1], "unseen": links[unseen]}
    counts = {name: np.bincount(found, minlength=count) for name, found in places.items()}
    by_lines = np.argsort(-counts["lines"], kind="stable")
    report = HeldOutReport(
        **vars(_part(split, train=train)),
        unseen_entities=int(entities[np.unique(split.rows[[0, 2]])].sum()),
        unseen_relations=int(relations[np.unique(links)].sum()),
        total=Figures(**{name: int(each.sum()) for name, each in counts.items()}),
        by_relation={
            splits.relations[i]: Figures(**{name: each.item(i) for name, each in counts.items()})
            for i in by_lines.tolist()
            if counts["lines"][i]
        },
    )
    return report, hits


def _marks(
    rows: NDArray[np.int32], *, train: FilterIndex, pairs: list[RelationPair], relations: int
) -> tuple[dict[str, NDArray[np.bool_]], Counter[RelationPair]]:
    """Say of each of `rows` (3, P) what train holds of it, and count the lines of each pair."""
    turned = rows[::-1]
    no_loop = rows[0] != rows[2]
    repeated, back = train.contains(rows), train.contains(turned)
    marks = {
        "repeated": repeated,
        "reversed": back & no_loop,
        "backward": (train.count_many(turned, missing="relation") > back) & no_loop,
        "parallel": train.count_many(rows, missing="relation") > repeated,
    }
    marks["linked"] = np.logical_or.reduce(list(marks.values()))
    hits: Counter[RelationPair] = Counter()
    for name in ("inverse", "duplicate"):
        marks[name] = np.zeros(rows.shape[1], dtype=np.bool_)
        backward = name == "inverse"
        wanted = {
            pair.first * relations + pair.second: pair
            for pair in pairs
            if (pair.kind != "duplicate") == backward
        }
        for places, others in companions(rows, index=train, backward=backward):
            own = rows[1, places].astype(np.int64)
            codes = np.minimum(own, others) * relations + np.maximum(own, others)
            found = np.isin(codes, list(wanted))
            marks[name][places[found & (own != others)]] = True
            for code, number in zip(*np.unique(codes[found], return_counts=True), strict=True):
                hits[wanted[int(code)]] += int(number)
    return marks, hits


def _unseen(splits: Splits) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say of each entity, and of each relation, whether no line of train has it."""
    entities = np.ones(len(splits.entities), dtype=np.bool_)
    relations = np.ones(len(splits.relations), dtype=np.bool_)
    entities[splits.train.rows[[0, 2]]] = False
    relations[splits.train.rows[1]] = False
    return entities, relations


def _named(pair: RelationPair, *, splits: Splits, dev: int, test: int) -> PairReport:
    return PairReport(
        kind=pair.kind,
        first=splits.relations[pair.first],
        second=splits.relations[pair.second],
        shared=pair.shared,
        share_of_first=pair.share_of_first,
        share_of_second=pair.share_of_second,
        dev=dev,
        test=test,
    )


def _shared_texts(splits: Splits) -> TextReport:
    texts = [splits.texts[entity] for entity in splits.entities if entity in splits.texts]
    shared = {text: number for text, number in Counter(texts).items() if number > 1}
    largest = sorted(shared, key=lambda text: (-shared[text], text))[:_LARGEST]
    return TextReport(
        with_text=len(texts),
        without_text=len(splits.entities) - len(texts),
        sharing=sum(shared.values()),
        groups=len(shared),
        largest={text: shared[text] for text in largest},
    )
