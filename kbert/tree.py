"""The sentence tree: a sentence with facts as branches, flattened for an encoder.

A trunk (the sentence with its special tokens) carries mentions; a mention carries branches (its
facts). Flattening goes depth first, so each branch stands right after its mention. Two things
keep the sentence what it was (K-BERT, Liu et al. 2020, sections 3.3 and 3.4): soft positions count
the trunk as if nothing had been injected and start each branch right after its mention; and the
interval of each token's node, from which visibility follows (`kbert.nn.visibility`). No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphs import Fact

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOWHERE = (-1, -1)


class Branch(NamedTuple):
    """One injected fact: tokens `start:stop` of the flattened tree."""

    fact: Fact
    start: int
    stop: int


class Node(NamedTuple):
    """A mention in the tree: its tokens `start:stop` in the flattened order, and its branches."""

    entity: str
    start: int
    stop: int
    branches: tuple[Branch, ...]


class Trunk(NamedTuple):
    """A tokenised sentence or pair with its special tokens; one entry a token."""

    token_ids: list[int]
    segments: list[int]
    offsets: list[tuple[int, int]]


class Anchor(NamedTuple):
    """Where facts attach: trunk tokens `start:stop` that mention `entity`, and the facts' ids."""

    entity: str
    start: int
    stop: int
    facts: Sequence[tuple[Fact, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class SentenceTree:
    """A flattened sentence tree; vectors have one entry a token.

    `offsets` are character spans in the sentence that the token belongs to (`segments` says which);
    special tokens and branches are nowhere: (-1, -1). `enter` and `leave` are the half-open
    interval of the token's node in a depth-first numbering. `cut` counts trunk tokens, `omitted`
    facts, that did not fit.
    """

    token_ids: tuple[int, ...]
    soft_positions: tuple[int, ...]
    segments: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    enter: tuple[int, ...]
    leave: tuple[int, ...]
    trunk: tuple[bool, ...]
    nodes: tuple[Node, ...]
    text: str
    pair: str | None
    cut: int = 0
    omitted: int = 0

    @classmethod
    def build(
        cls,
        trunk: Trunk,
        anchors: Sequence[Anchor] = (),
        *,
        text: str = "",
        pair: str | None = None,
        cut: int = 0,
        omitted: int = 0,
    ) -> SentenceTree:
        """Flatten a trunk and the facts at its anchors (in trunk order, disjoint)."""
        flat = _Flat()
        at = 0
        nodes = []
        for anchor in anchors:
            flat.plain(trunk, at, anchor.start)
            nodes.append(flat.mention(trunk, anchor))
            at = anchor.stop
        flat.plain(trunk, at, len(trunk.token_ids))
        return cls(
            tuple(flat.token_ids),
            tuple(flat.soft_positions),
            tuple(flat.segments),
            tuple(flat.offsets),
            tuple(flat.enter),
            tuple(flat.leave),
            tuple(flat.trunk),
            tuple(nodes),
            text,
            pair,
            cut,
            omitted,
        )

    def __len__(self) -> int:
        """Count the tokens, branches included."""
        return len(self.token_ids)

    def array(self) -> NDArray[np.int32]:
        """Stack what an encoder needs. *Shape:* (6, length).

        Rows: token ids, soft positions, segments, enter, leave, trunk.
        """
        rows = (
            self.token_ids,
            self.soft_positions,
            self.segments,
            self.enter,
            self.leave,
            self.trunk,
        )
        return np.array(rows, dtype=np.int32)

    def visible(self) -> NDArray[np.bool_]:
        """Render who sees whom: entry (q, k) says whether token q sees token k. *Shape:* (L, L)."""
        from kbert.nn.visibility import visible

        zeros = np.zeros(len(self), dtype=np.int32)
        return visible(
            document=zeros,
            enter=np.array(self.enter, dtype=np.int32),
            leave=np.array(self.leave, dtype=np.int32),
            trunk=np.array(self.trunk, dtype=np.bool_),
            query_rank=zeros,
            key_rank=zeros,
        )

    def render(self) -> str:
        """Draw the tree for a person: the sentence, then each mention with its facts."""
        lines = [self.text if self.pair is None else f"{self.text} ‖ {self.pair}"]
        for number, node in enumerate(self.nodes):
            last = number == len(self.nodes) - 1
            span = _positions(self.soft_positions[node.start : node.stop])
            lines.append(f"{'└' if last else '├'}─ {node.entity} {span}")
            for index, branch in enumerate(node.branches):
                corner = "└" if index == len(node.branches) - 1 else "├"
                span = _positions(self.soft_positions[branch.start : branch.stop])
                fact = f"{branch.fact.relation}: {branch.fact.tail}"
                lines.append(f"{' ' if last else '│'}  {corner}─ {fact} {span}")
        if self.omitted:
            lines.append(f"({self.omitted} more facts did not fit)")
        if self.cut:
            lines.append(f"({self.cut} tokens of the text were cut)")
        return "\n".join(lines)


class _Flat:
    """The lists that `SentenceTree.build` appends to, and the numbering of nodes."""

    def __init__(self) -> None:
        self.token_ids: list[int] = []
        self.soft_positions: list[int] = []
        self.segments: list[int] = []
        self.offsets: list[tuple[int, int]] = []
        self.enter: list[int] = []
        self.leave: list[int] = []
        self.trunk: list[bool] = []
        self.node = 0

    def plain(self, trunk: Trunk, start: int, stop: int) -> None:
        """Append trunk tokens without branches: each is a leaf of its own."""
        count = stop - start
        self._trunk_tokens(trunk, start, stop)
        self.enter += range(self.node, self.node + count)
        self.leave += range(self.node + 1, self.node + count + 1)
        self.node += count

    def mention(self, trunk: Trunk, anchor: Anchor) -> Node:
        """Append a mention, whose tokens share one node, and its branches below that node."""
        count = anchor.stop - anchor.start
        begin = len(self.token_ids)
        self._trunk_tokens(trunk, anchor.start, anchor.stop)
        self.enter += [self.node] * count
        self.leave += [self.node + 1 + len(anchor.facts)] * count
        self.node += 1
        segment = trunk.segments[anchor.start]
        branches = tuple(
            self._branch(fact, ids, position=anchor.stop, segment=segment)
            for fact, ids in anchor.facts
        )
        return Node(anchor.entity, begin, begin + count, branches)

    def _trunk_tokens(self, trunk: Trunk, start: int, stop: int) -> None:
        self.token_ids += trunk.token_ids[start:stop]
        self.soft_positions += range(start, stop)
        self.segments += trunk.segments[start:stop]
        self.offsets += trunk.offsets[start:stop]
        self.trunk += [True] * (stop - start)

    def _branch(self, fact: Fact, ids: Sequence[int], *, position: int, segment: int) -> Branch:
        begin, count = len(self.token_ids), len(ids)
        self.token_ids += ids
        self.soft_positions += range(position, position + count)
        self.segments += [segment] * count
        self.offsets += [NOWHERE] * count
        self.enter += [self.node] * count
        self.leave += [self.node + 1] * count
        self.trunk += [False] * count
        self.node += 1
        return Branch(fact, begin, begin + count)


def _positions(positions: Sequence[int]) -> str:
    return f"[{positions[0]}]" if len(positions) == 1 else f"[{positions[0]}–{positions[-1]}]"
