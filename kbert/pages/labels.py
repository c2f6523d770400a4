"""What to call each token of a tree on a page.

With the pieces of a tokeniser there is nothing to find out. Without them a token of the sentence is
called by its characters, and one of a branch by its character or word where these are as many as
the tokens, else by its number in the branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graphs import Fact
from kbert.tree import NOWHERE, SentenceTree

# What BERT's pre-tokeniser sets apart: a Chinese character, a mark, or a word between them.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNITS = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+|[^\w\s]|_")


def labels_of(tree: SentenceTree, pieces: Sequence[str] = ()) -> tuple[str, ...]:
    """Return one text a token; `pieces` where they are given, one a token.

    Raises `ValueError` for another number of pieces.
    """
    if pieces:
        if len(pieces) != len(tree):
            raise ValueError(f"{len(pieces)} pieces for a tree of {len(tree)} tokens")
        return tuple(pieces)
    labels = list(_trunk(tree))
    for node in tree.nodes:
        for branch in node.branches:
            size = branch.stop - branch.start
            labels[branch.start : branch.stop] = _branch(branch.fact, size)
    return tuple(labels)


def _trunk(tree: SentenceTree) -> Iterator[str]:
    texts = (tree.text, tree.pair or "")
    for token, (start, end) in enumerate(tree.offsets):
        if start != NOWHERE:
            yield texts[tree.segments[token]][start:end]
        else:
            yield "[CLS]" if token == 0 else "[SEP]"


def _branch(fact: Fact, size: int) -> list[str]:
    """Name the tokens of a fact: every unit has at least one, so as many units are the tokens."""
    for text in (f"{fact.relation} {fact.tail}", fact.tail):
        units = _UNITS.findall(text)
        if len(units) == size:
            return units
    return [f"·{number}" for number in range(1, size + 1)]
