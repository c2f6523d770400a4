"""The sentence tree: a sentence with facts as branches, flattened for an encoder.

A trunk (the sentence with its special tokens) carries mentions; a mention carries branches (its
facts). Flattening goes depth first, so each branch stands right after its mention. Two things
keep the sentence what it was (K-BERT, Liu et al. 2020, sections 3.3 and 3.4): soft positions count
the trunk as if nothing had been injected and start each branch right after its mention; and the
interval of each token's node, from which visibility follows (`kbert.nn.visibility`). Node 0 is the
sentence outside of its mentions; mentions and, within them, branches are numbered from 1 on, depth
first. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphs import Fact

if TYPE_CHECKING:
    import networkx
    from numpy.typing import NDArray

NOWHERE = -1  # where in the text a special token or a branch stands


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
    """A tokenised sentence or pair with its special tokens; one entry a token.

    `starts` and `ends` are half-open character spans in the sentence, `NOWHERE` for special tokens.
    """

    token_ids: Sequence[int]
    segments: Sequence[int]
    starts: Sequence[int]
    ends: Sequence[int]


class Anchor(NamedTuple):
    """Where facts attach: trunk tokens `start:stop` that mention `entity`, and the facts' ids."""

    entity: str
    start: int
    stop: int
    facts: Sequence[tuple[Fact, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class SentenceTree:
    """A flattened sentence tree; vectors have one entry a token.

    `starts` and `ends` (together: `offsets`) are character spans in the sentence that the token
    belongs to, and `segments` says which of a pair that is; special tokens and branches are nowhere
    (-1). `enter` and `leave` are the half-open interval of the token's node in a depth-first
    numbering. `cut` counts trunk tokens, `omitted` facts, that did not fit.
    """

    token_ids: tuple[int, ...]
    soft_positions: tuple[int, ...]
    segments: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
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
        token_ids, segments = list(trunk.token_ids), list(trunk.segments)
        starts, ends = list(trunk.starts), list(trunk.ends)
        soft_positions = list(range(len(token_ids)))
        nodes: list[Node] = []
        inserted = 0
        for anchor in anchors:
            at = begin = anchor.stop + inserted
            branches = []
            for fact, ids in anchor.facts:
                stop = at + len(ids)
                branches.append(Branch(fact, at, stop))
                token_ids[at:at] = ids
                soft_positions[at:at] = range(anchor.stop, anchor.stop + len(ids))
                at = stop
            nowhere = [NOWHERE] * (at - begin)
            starts[begin:begin] = nowhere
            ends[begin:begin] = nowhere
            segments[begin:begin] = [trunk.segments[anchor.start]] * (at - begin)
            start = anchor.start + inserted
            nodes.append(Node(anchor.entity, start, begin, tuple(branches)))
            inserted += at - begin
        enter, leave, flags = _intervals(nodes, len(token_ids))
        return cls(
            tuple(token_ids),
            tuple(soft_positions),
            tuple(segments),
            tuple(starts),
            tuple(ends),
            tuple(enter),
            tuple(leave),
            tuple(flags),
            tuple(nodes),
            text,
            pair,
            cut,
            omitted,
        )

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """Half-open character spans, one a token; (-1, -1) for special tokens and branches."""
        return tuple(zip(self.starts, self.ends, strict=True))

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

    def to_html(self, *, pieces: Sequence[str] = ()) -> str:
        """Return a page for a browser: the tree, its positions, and who sees whom.

        `pieces` name the tokens, `[tokenizer.piece(i) for i in tree.token_ids]`. Without them a
        token of the text is called by its characters, and one of a fact by its word where that is
        certain, else by its number in the fact. Raises `ValueError` for another number of pieces.
        """
        from kbert.pages.inspection import tree_page

        return str(tree_page(self, pieces=pieces))

    def _repr_html_(self) -> str:
        """Show the page in a notebook, shut off from what is around it."""
        from kbert.pages.inspection import frame, tree_page

        return str(frame(tree_page(self), height=520))

    def to_networkx(self) -> networkx.DiGraph:
        """Return the tree as a graph of networkx, numbered depth first as `enter` numbers tokens.

        Node 0 is the sentence (`kind` "sentence", `text`, `pair`), its children are the mentions
        (`kind` "mention", `entity`) and theirs the facts (`kind` "fact", `relation`, `tail`).
        Mentions and facts have their tokens `start` to `stop` and the soft position of the first.
        """
        from kbert.tree_network import network_of

        return network_of(self)


def _intervals(nodes: Sequence[Node], length: int) -> tuple[list[int], list[int], list[bool]]:
    """Number nodes depth first; return `enter`, `leave` and `trunk` of each token."""
    enter, leave, trunk = [0] * length, [1] * length, [True] * length
    number = 1
    for node in nodes:
        count = node.stop - node.start
        enter[node.start : node.stop] = [number] * count
        leave[node.start : node.stop] = [number + 1 + len(node.branches)] * count
        number += 1
        for _, start, stop in node.branches:
            count = stop - start
            enter[start:stop] = [number] * count
            number += 1
            leave[start:stop] = [number] * count
            trunk[start:stop] = [False] * count
    return enter, leave, trunk


def _positions(positions: Sequence[int]) -> str:
    return f"[{positions[0]}]" if len(positions) == 1 else f"[{positions[0]}–{positions[-1]}]"
