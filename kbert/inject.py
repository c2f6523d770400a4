"""Knowledge injection: text, mentions and facts become a sentence tree.

1. The tokeniser gives pieces with character offsets; the text is cut to the length first.
2. The mention index finds names on the raw text; offsets carry them over to pieces.
3. A policy orders the facts of each mention; the first `max_facts` become branches, as long as
   the whole branch fits into the length and into the budgets of the sentence.
So text goes before branches, a branch is never split, and no special token is ever dropped. The
same text, graph and policy give the same tree in every process. An empty graph gives plain BERT.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from graphs import Fact, Mention, MentionIndex, TripleStore
from graphs.selection import Policy, first_kept, make
from kbert.errors import DataError
from kbert.tokenizer import Encoding, Tokenizer
from kbert.tree import NOWHERE, Anchor, SentenceTree, Trunk

_REMEMBERED = 1 << 16  # entities whose tokenised facts are kept


class Injector:
    """Build sentence trees: `Injector(store, tokenizer)(text, pair=None)`."""

    def __init__(
        self,
        store: TripleStore,
        tokenizer: Tokenizer,
        *,
        max_facts: int = 2,
        max_length: int = 256,
        max_branches: int | None = None,
        policy: Policy | None = None,
        index: MentionIndex | None = None,
        relation_text: bool = True,
        max_fact_share: float = 1.0,
        repeat_mentions: bool = True,
    ) -> None:
        """Bind a graph and a tokeniser.

        `max_facts` is the budget of a mention (K-BERT: 2), `max_branches` that of a sentence
        (None: as many as fit), `max_length` counts all tokens of the flattened tree, and of these
        `max_fact_share` (0 to 1) may be branches. `policy` (default: order of the source) orders
        facts, `index` (default: of the entities that the policy leaves a fact) finds mentions.
        With `relation_text=False` a branch reads only the tail, as K-BERT does in its tagging
        script; without `repeat_mentions` an entity gets facts where it is named first, in a text
        or pair, and not again.
        """
        if max_length < 5:
            raise ValueError(f"max_length must be at least 5, was {max_length}")
        if max_facts < 0 or (max_branches is not None and max_branches < 0):
            raise ValueError("max_facts and max_branches must not be negative")
        if not 0 <= max_fact_share <= 1:
            raise ValueError(f"max_fact_share must be between 0 and 1, was {max_fact_share}")
        self.tokenizer = tokenizer
        self.max_facts = max_facts
        self.max_length = max_length
        self.max_branches = max_length if max_branches is None else max_branches
        self.relation_text = relation_text
        self.max_fact_share = max_fact_share
        self.repeat_mentions = repeat_mentions
        self.store = store
        self.policy = make("first", store) if policy is None else policy
        if index is None:
            everyone = policy is None and not store.named
            index = MentionIndex(store, only=None if everyone else self.policy.heads())
        self.index = index
        self._known: dict[str, list[tuple[Fact, list[int]]]] = {}

    def __call__(
        self, text: str, pair: str | None = None, *, masks: Sequence[tuple[int, int]] = ()
    ) -> SentenceTree:
        """Inject facts into a sentence, or into both sentences of a pair.

        `masks` are spans of `text` (half-open, from the left, disjoint) of which each is read as
        the token `[MASK]`; names are looked for outside of them.

        Raises `DataError` for a text without any token.
        """
        first = self._encode(text, masks=masks)
        if pair is None:
            kept = (min(len(first.ids), self.max_length - 2),)
            trunk = self._trunk((first,), kept)
            anchors = self._anchors(_blanked(text, masks), first, kept[0], shift=1)
            cut = len(first.ids) - kept[0]
        else:
            second = self._encode(pair)
            kept_pair = share(len(first.ids), len(second.ids), room=self.max_length - 3)
            trunk = self._trunk((first, second), kept_pair)
            anchors = self._anchors(_blanked(text, masks), first, kept_pair[0], shift=1)
            anchors += self._anchors(pair, second, kept_pair[1], shift=kept_pair[0] + 2)
            cut = len(first.ids) + len(second.ids) - sum(kept_pair)
        if not self.repeat_mentions:
            anchors = _first_of_each(anchors)
        anchors, omitted = self._fit(anchors, room=self._room(len(trunk.token_ids)))
        return SentenceTree.build(trunk, anchors, text=text, pair=pair, cut=cut, omitted=omitted)

    def windows(
        self, text: str, pair: str, *, length: int, stride: int, max_text: int
    ) -> list[SentenceTree]:
        """Inject facts into `text` and each window of a `pair` that is too long for one sequence.

        The text is cut to `max_text` tokens. Windows are as long as the trunk, of at most `length`
        tokens, has room for; each starts `stride` tokens after the one before, or at its end if
        that comes first, until the end is reached (google-research/bert's `run_squad.py`). A
        mention that the edge of a window cuts carries no facts there. Offsets are those of the
        whole pair. Raises `DataError` for a text without any token, `ValueError` where windows
        have no room or do not move.
        """
        first, second = self._encode(text), self._encode(pair)
        kept = min(len(first.ids), max_text)
        room = min(length, self.max_length) - kept - 3
        if room < 1 or stride < 1:
            raise ValueError("a window needs room for a token, and a stride of at least 1")
        heads = self._anchors(text, first, kept, shift=1)
        anchors = self._anchors(pair, second, len(second.ids), shift=kept + 2)
        trees = []
        start, stop = 0, min(room, len(second.ids))
        while True:
            part = Encoding(*(column[start:stop] for column in second))
            trunk = self._trunk((first, part), (kept, stop - start))
            inner = heads + _within(anchors, start + kept + 2, stop + kept + 2, shift=-start)
            if not self.repeat_mentions:
                inner = _first_of_each(inner)
            fitting, omitted = self._fit(inner, room=self._room(len(trunk.token_ids)))
            cut = len(first.ids) - kept
            trees.append(
                SentenceTree.build(trunk, fitting, text=text, pair=pair, cut=cut, omitted=omitted)
            )
            if stop == len(second.ids):
                return trees
            start += min(stride, stop - start)
            stop = min(start + room, len(second.ids))

    def mentions(self, text: str) -> list[Mention]:
        """Return the names of entities in a text, those without facts to inject included."""
        return self.index.find(text)

    def anchors(self, text: str) -> tuple[Encoding, list[Anchor], int]:
        """Return a text's pieces, the anchors among them, and how many facts did not fit.

        They are the text's own tree, of which trees of several texts can be built; a text that is
        too long for one gets no facts. Raises `DataError` for a text without any token.
        """
        encoding = self._encode(text)
        anchors = self._anchors(text, encoding, len(encoding.ids), shift=0)
        if not self.repeat_mentions:
            anchors = _first_of_each(anchors)
        fitting, omitted = self._fit(anchors, room=self._room(len(encoding.ids) + 2))
        return encoding, fitting, omitted

    def _encode(self, text: str, *, masks: Sequence[tuple[int, int]] = ()) -> Encoding:
        encoding = Encoding([], [], []) if masks else self.tokenizer.encode(text)
        at = 0
        for start, stop in masks:
            _extend(encoding, self.tokenizer.encode(text[at:start]), shift=at)
            _extend(encoding, Encoding([self.tokenizer.mask_id], [start], [stop]), shift=0)
            at = stop
        if masks:
            _extend(encoding, self.tokenizer.encode(text[at:]), shift=at)
        if not encoding.ids:
            raise DataError(f"the text {text[:40]!r} is empty: it has no token")
        return encoding

    def _trunk(self, parts: Sequence[Encoding], kept: Sequence[int]) -> Trunk:
        """Lay out `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, segments 0 and 1."""
        token_ids, segments = [self.tokenizer.cls_id], [0]
        starts, ends = [NOWHERE], [NOWHERE]
        for segment, (part, length) in enumerate(zip(parts, kept, strict=True)):
            token_ids += part.ids[:length]
            token_ids.append(self.tokenizer.sep_id)
            segments += [segment] * (length + 1)
            starts += part.starts[:length]
            starts.append(NOWHERE)
            ends += part.ends[:length]
            ends.append(NOWHERE)
        return Trunk(token_ids, segments, starts, ends)

    def _anchors(self, text: str, encoding: Encoding, kept: int, *, shift: int) -> list[Anchor]:
        """Carry mentions over to trunk tokens; `shift` is where this text's first piece stands."""
        anchors = []
        starts, ends = encoding.starts, encoding.ends
        token = 0
        for mention in self.index.find(text):
            while token < kept and ends[token] <= mention.start:
                token += 1
            start = token
            while token < len(ends) and starts[token] < mention.end:
                token += 1
            if token > kept:  # the cut goes through this mention, or before it
                break
            # A piece that reaches over two mentions belongs to the left one; a mention that is
            # left without a piece of its own (or whose characters have none) carries no facts.
            facts = self._facts(mention.entity, text=text) if token > start else []
            if facts:
                anchors.append(Anchor(mention.entity, start + shift, token + shift, facts))
        return anchors

    def _facts(self, entity: str, *, text: str) -> list[tuple[Fact, list[int]]]:
        if self.policy.contextual:
            return self._chosen(entity, text=text)
        facts = self._known.get(entity)
        if facts is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            facts = self._known[entity] = self._chosen(entity, text="")
        return facts

    def _chosen(self, entity: str, *, text: str) -> list[tuple[Fact, list[int]]]:
        return first_kept(self.branch, entity, policy=self.policy, limit=self.max_facts, text=text)

    def branch(self, fact: Fact) -> tuple[Fact, list[int]] | None:
        """Return a fact in words with its ids; None for one without any, which takes no budget."""
        said = self.store.readable(fact) if self.store.named else fact
        if said is None:
            return None
        ids = self.tokenizer.encode(said.tail).ids
        if self.relation_text:
            ids = self.tokenizer.encode(said.relation).ids + ids
        return (said, ids) if ids else None

    def _room(self, length: int) -> int:
        """Return how many tokens the branches of a trunk of this length may have in all."""
        room = self.max_length - length
        if self.max_fact_share == 1:
            return room
        share = Fraction(str(self.max_fact_share))  # the number as written: 0.3 is no double
        return min(room, int(share * length / (1 - share)))

    def _fit(self, anchors: Sequence[Anchor], *, room: int) -> tuple[list[Anchor], int]:
        """Keep, in order, every whole branch that fits into the room and the sentence's budget."""
        total = sum(len(ids) for anchor in anchors for _, ids in anchor.facts)
        count = sum(len(anchor.facts) for anchor in anchors)
        if total <= room and count <= self.max_branches:
            return list(anchors), 0
        kept_anchors, kept = [], 0
        for anchor in anchors:
            facts = []
            for fact, ids in anchor.facts:
                if len(ids) <= room and kept < self.max_branches:
                    facts.append((fact, ids))
                    room -= len(ids)
                    kept += 1
            if facts:
                kept_anchors.append(anchor._replace(facts=facts))
        return kept_anchors, count - kept


def _extend(encoding: Encoding, more: Encoding, *, shift: int) -> None:
    """Append pieces of a text that starts at character `shift`."""
    encoding.ids.extend(more.ids)
    encoding.starts.extend(start + shift for start in more.starts)
    encoding.ends.extend(end + shift for end in more.ends)


def _blanked(text: str, masks: Sequence[tuple[int, int]]) -> str:
    """Put line ends, which no name holds, in the place of masks; offsets stay."""
    for start, stop in masks:
        text = text[:start] + "\n" * (stop - start) + text[stop:]
    return text


def _within(anchors: Sequence[Anchor], start: int, stop: int, *, shift: int) -> list[Anchor]:
    """Return the anchors that lie in `start:stop` as a whole, moved by `shift`."""
    return [
        anchor._replace(start=anchor.start + shift, stop=anchor.stop + shift)
        for anchor in anchors
        if start <= anchor.start and anchor.stop <= stop
    ]


def _first_of_each(anchors: Sequence[Anchor]) -> list[Anchor]:
    """Return the first anchor of each entity."""
    first: dict[str, Anchor] = {}
    for anchor in anchors:
        first.setdefault(anchor.entity, anchor)
    return list(first.values())


def share(first: int, second: int, *, room: int) -> tuple[int, int]:
    """Cut two lengths to a room, always from the longer one (BERT's rule; a tie cuts the second).

    Closed form of google-research/bert's `_truncate_seq_pair`, from the end only.
    """
    if first + second <= room:
        return first, second
    if first <= (room + 1) // 2:
        return first, room - first
    if second <= room // 2:
        return room - second, second
    return (room + 1) // 2, room // 2
