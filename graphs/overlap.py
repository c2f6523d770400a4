"""Ask whether a graph knows the answers: compare its mentions and facts with gold labels.

A graph whose names are the entities that a tagger shall find, or whose facts say what a classifier
shall say, makes a score rise for a reason that no new text will have. Labels are BIO tags of words
(tagging), or one label a text (classification).
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphs.coverage import Injected
from graphs.gold import Gold
from graphs.mentions import MentionIndex
from graphs.store import TripleStore
from graphs.triple import Fact


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Count how mentions and facts meet gold labels.

    tagging: whether labels belong to spans of the text, or to whole texts.
    labels: the different ones, most frequent first.
    spans: gold spans (0 for classification).
    mentions: places where a text names an entity of the graph.
    exact: mentions that are a gold span, character for character.
    labelled: mentions that have a label: the exact ones, or all those of labelled texts.
    naming: labelled mentions of which an injected fact has the label's own text as its tail.
    guessed: labelled mentions whose label is the most frequent one among those of *other* entities
    that have the same first fact; where there is none, the most frequent of all.
    majority: labelled mentions that have the most frequent label, a guess that needs no graph.
    """

    tagging: bool
    texts: int
    labels: tuple[str, ...]
    spans: int
    mentions: int
    exact: int
    labelled: int
    naming: int
    guessed: int
    majority: int

    @property
    def precision(self) -> float:
        """The share of mentions that are gold spans."""
        return self.exact / self.mentions if self.mentions else 0.0

    @property
    def recall(self) -> float:
        """The share of gold spans that are mentions."""
        return self.exact / self.spans if self.spans else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them, with the shares."""
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        content["labels"] = list(self.labels)
        return content | {"precision": self.precision, "recall": self.recall}


def measure_overlap(
    store: TripleStore,
    gold: Iterable[Gold],
    *,
    index: MentionIndex | None = None,
    max_facts: int = 2,
) -> Overlap:
    """Compare the mentions of `store` and their first `max_facts` facts with `gold`."""
    index = MentionIndex(store) if index is None else index
    injected = Injected(store, max_facts=max_facts)
    sums: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    seen: list[_Seen] = []
    for text, label, spans in gold:
        sums.update(texts=1, spans=len(spans), tagged=label is None)
        labels.update(spans.values() if label is None else [label])
        for start, end, entity in index.find(text):
            sums.update(mentions=1, exact=(start, end) in spans)
            own = spans.get((start, end)) if label is None else label
            if own is not None:
                seen.append(_Seen(entity, own, injected(entity)))
    of_mentions = Counter(each.label for each in seen)
    return Overlap(
        tagging=sums["tagged"] > 0,
        texts=sums["texts"],
        labels=tuple(label for label, _ in labels.most_common()),
        spans=sums["spans"],
        mentions=sums["mentions"],
        exact=sums["exact"],
        labelled=len(seen),
        naming=sum(each.names_label() for each in seen),
        guessed=_guessed(seen, of_mentions),
        majority=max(of_mentions.values(), default=0),
    )


class _Seen(NamedTuple):
    """A mention that has a label."""

    entity: str
    label: str
    facts: tuple[Fact, ...]

    def names_label(self) -> bool:
        label = self.label.casefold()
        return any(fact.tail.casefold() == label for fact in self.facts)


def _guessed(seen: list[_Seen], labels: Counter[str]) -> int:
    """Count right guesses from the first fact, never from mentions of the same entity."""
    by_fact: defaultdict[Fact | None, Counter[str]] = defaultdict(Counter)
    by_entity: defaultdict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, Fact | None] = {}
    for entity, label, facts in seen:
        first[entity] = facts[0] if facts else None
        by_fact[first[entity]][label] += 1
        by_entity[entity][label] += 1
    ranks = {label: -rank for rank, (label, _) in enumerate(labels.most_common())}
    right = 0
    for entity, own in by_entity.items():
        fact = first[entity]
        others = Counter[str]() if fact is None else by_fact[fact] - own
        # Of equals, and where others say nothing, the label that is most frequent of all.
        right += own[max(ranks, key=lambda label: (others[label], ranks[label]))]
    return right
