"""The stages of injection, each timed alone, and what comes after a tree is finished.

Only public functions are called, over the same texts as the whole, with empty memories. Parts that
a stage takes from the one before are made outside of its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graphs import Fact, MentionIndex, TripleStore
from kbert.tokenizer import Tokenizer
from kbert.tree import Anchor, SentenceTree, Trunk


def timed(action: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Return the seconds that an action takes over all items."""
    start = time.perf_counter()
    for item in items:
        action(item)
    return time.perf_counter() - start


def stages_inside(
    texts: Sequence[str],
    trees: Sequence[SentenceTree],
    *,
    store: TripleStore,
    index: MentionIndex,
    vocab: Path,
) -> dict[str, float]:
    """Return the seconds of each stage from text to tree; `trees` are those of `texts`."""
    mentions = [mention.entity for text in texts for mention in index.find(text)]
    parts = [taken_apart(tree) for tree in trees]
    return {
        "tokenise": timed(Tokenizer.from_vocab(vocab).encode, texts),
        "find mentions": timed(index.find, texts),
        "choose and tokenise facts": timed(_Facts(store, Tokenizer.from_vocab(vocab)), mentions),
        "build the tree": timed(lambda part: SentenceTree.build(*part), parts),
    }


def stages_beside(trees: Sequence[SentenceTree]) -> dict[str, float]:
    """Return the seconds from finished trees to arrays, and to batches."""
    from kbert.batch import Batch

    batches = [trees[start : start + 32] for start in range(0, len(trees), 32)]
    return {
        "tree.array()": timed(SentenceTree.array, trees),
        "Batch of 32, arrays included": timed(
            lambda batch: Batch.from_trees(batch, pad_id=0), batches
        ),
    }


class _Facts:
    """Choose and tokenise the facts of an entity once, as the injector does."""

    def __init__(self, store: TripleStore, tokenizer: Tokenizer) -> None:
        self.store, self.tokenizer = store, tokenizer
        self.known: dict[str, list[tuple[Fact, list[int]]]] = {}

    def __call__(self, entity: str) -> list[tuple[Fact, list[int]]]:
        if entity not in self.known:
            encode = self.tokenizer.encode
            self.known[entity] = [
                (fact, encode(fact.relation).ids + encode(fact.tail).ids)
                for fact in self.store.facts(entity, limit=2)
            ]
        return self.known[entity]


def taken_apart(tree: SentenceTree) -> tuple[Trunk, list[Anchor]]:
    """Turn a tree back into the parts that `SentenceTree.build` makes it of."""
    kept = [token for token, trunk in enumerate(tree.trunk) if trunk]
    trunk = Trunk(
        [tree.token_ids[token] for token in kept],
        [tree.segments[token] for token in kept],
        [tree.starts[token] for token in kept],
        [tree.ends[token] for token in kept],
    )
    anchors = [
        Anchor(
            node.entity,
            tree.soft_positions[node.start],
            tree.soft_positions[node.stop - 1] + 1,
            [(b.fact, list(tree.token_ids[b.start : b.stop])) for b in node.branches],
        )
        for node in tree.nodes
    ]
    return trunk, anchors
