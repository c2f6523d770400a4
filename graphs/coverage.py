"""Measure what a graph would do to texts before a model is trained on them.

How many texts have a mention, how often a name could mean several entities, and how much of what a
model reads would be injected: the facts that K-BERT's injection takes, the first `max_facts` of a
mention in the order of the graph. Characters are counted, so that no tokeniser is needed; what an
injector gives up to keep a length is not known here.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphs import selection
from graphs.errors import GraphError
from graphs.mentions import MentionIndex
from graphs.store import TripleStore
from graphs.triple import Fact

TOP = 20


class TopMention(NamedTuple):
    """An entity, how often texts mention it, how many entities are called so, and its facts."""

    entity: str
    name: str
    mentions: int
    candidates: int
    facts: int


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Say what the mentions of a graph in texts amount to.

    texts, characters: what was read; `empty` texts hold nothing but white space.
    covered: texts with a mention at least.
    mentions, mentioned: places in the texts, and different entities that they name.
    silent: mentions without any fact to inject.
    ambiguous: mentions whose name belongs to several entities.
    mention_characters: characters of the texts that belong to mentions.
    facts, fact_characters: what `max_facts` a mention inject; a fact's relation and tail.
    mentionable: entities that the index looks for, which could be mentioned at all.
    per_text: (number of mentions, texts with so many), ascending.
    top: the entities that are mentioned most.
    """

    graph: str
    max_facts: int
    texts: int
    empty: int
    characters: int
    covered: int
    mentions: int
    mentioned: int
    silent: int
    ambiguous: int
    mention_characters: int
    facts: int
    fact_characters: int
    mentionable: int
    per_text: tuple[tuple[int, int], ...]
    top: tuple[TopMention, ...]

    @property
    def mention_rate(self) -> float:
        """The share of texts with a mention."""
        return self.covered / self.texts if self.texts else 0.0

    @property
    def mentions_per_text(self) -> float:
        """The mean number of mentions in a text."""
        return self.mentions / self.texts if self.texts else 0.0

    @property
    def ambiguity(self) -> float:
        """The share of mentions whose name belongs to several entities."""
        return self.ambiguous / self.mentions if self.mentions else 0.0

    @property
    def injected_share(self) -> float:
        """The share of facts in the characters of texts and facts together."""
        whole = self.characters + self.fact_characters
        return self.fact_characters / whole if whole else 0.0

    @property
    def never_mentioned(self) -> int:
        """How many of the mentionable entities no text mentions."""
        return self.mentionable - self.mentioned

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them, with the shares."""
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        content["per_text"] = [list(pair) for pair in self.per_text]
        content["top"] = [each._asdict() for each in self.top]
        shares = ("mention_rate", "mentions_per_text", "ambiguity", "injected_share")
        return content | {name: getattr(self, name) for name in (*shares, "never_mentioned")}


def measure_coverage(
    store: TripleStore,
    texts: Iterable[str],
    *,
    index: MentionIndex | None = None,
    max_facts: int = 2,
) -> Coverage:
    """Find the mentions of `store` in `texts`, which are read once, and count.

    `index` (default: of all entities with facts) finds them. Raises `GraphError` for a negative
    `max_facts`.
    """
    tally = _Tally(store, MentionIndex(store) if index is None else index, max_facts=max_facts)
    for text in texts:
        tally.add(text)
    return tally.result()


class Injected:
    """Give the facts that would be injected for an entity, as texts; each is looked up once."""

    def __init__(self, store: TripleStore, *, max_facts: int) -> None:
        """Bind a graph. Raises `GraphError` for a negative `max_facts`."""
        if max_facts < 0:
            raise GraphError(f"max_facts is {max_facts}; it must not be negative")
        self._store = store
        self._policy = selection.make("first", store)
        self._limit = max_facts
        self._known: dict[str, tuple[Fact, ...]] = {}

    def __call__(self, entity: str) -> tuple[Fact, ...]:
        """Return the facts of `entity`, at most `max_facts`."""
        facts = self._known.get(entity)
        if facts is None:
            found = self._policy.facts(entity, limit=self._limit)
            facts = tuple(filter(None, map(self._store.readable, found)))
            self._known[entity] = facts
        return facts


class _Tally:
    def __init__(self, store: TripleStore, index: MentionIndex, *, max_facts: int) -> None:
        self._store = store
        self._index = index
        self._max_facts = max_facts
        self._injected = Injected(store, max_facts=max_facts)
        self._candidates: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._most: dict[str, int] = {}
        self._per_text: Counter[int] = Counter()
        self._sums: Counter[str] = Counter()

    def add(self, text: str) -> None:
        mentions = self._index.find(text)
        self._per_text[len(mentions)] += 1
        sums = self._sums
        sums["characters"] += len(text)
        sums["empty"] += not text.strip()
        for start, end, entity in mentions:
            self._counts[entity] += 1
            several = self._several(text[start:end])
            self._most[entity] = max(several, self._most.get(entity, 1))
            facts = self._injected(entity)
            sums["ambiguous"] += several > 1
            sums["silent"] += not facts
            sums["mention_characters"] += end - start
            sums["facts"] += len(facts)
            sums["fact_characters"] += sum(len(part) for fact in facts for part in fact)

    def _several(self, name: str) -> int:
        """Count the entities of this name."""
        count = self._candidates.get(name)
        if count is None:
            count = self._candidates[name] = len(self._index.candidates(name))
        return count

    def result(self) -> Coverage:
        store, sums = self._store, self._sums
        top = [
            TopMention(
                entity, store.name_of(entity), count, self._most[entity], store.degree(entity)
            )
            for entity, count in self._counts.most_common(TOP)
        ]
        texts = self._per_text.total()
        return Coverage(
            graph=store.name,
            max_facts=self._max_facts,
            texts=texts,
            empty=sums["empty"],
            characters=sums["characters"],
            covered=texts - self._per_text[0],
            mentions=self._counts.total(),
            mentioned=len(self._counts),
            silent=sums["silent"],
            ambiguous=sums["ambiguous"],
            mention_characters=sums["mention_characters"],
            facts=sums["facts"],
            fact_characters=sums["fact_characters"],
            mentionable=self._index.entity_count,
            per_text=tuple(sorted(self._per_text.items())),
            top=tuple(top),
        )
