"""Account for a sentence tree: what was found, what was injected, and why the rest was not.

The tree is the truth: what stands in it was injected. Why the rest does not, `kbert.accounting`
finds out.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphs import Fact, Triple
from kbert.inject import Injector
from kbert.tree import Branch, Node, SentenceTree


@dataclass(frozen=True, slots=True)
class FactAccount:
    """One fact of a mention: `triple` as the graph has it, `words` as far as there are any.

    `branch` is where it stands in the tree; if it does not, `reason` says why. `tokens` is its
    length, 0 where it has none.
    """

    triple: Triple
    words: Fact
    tokens: int
    branch: Branch | None
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity that a name may mean, with the number of its facts."""

    entity: str
    facts: int


@dataclass(frozen=True, slots=True)
class MentionAccount:
    """One mention: characters `start:end` of the text (`segment` 0) or of the pair (1).

    `candidates` are the first of all `bearers` entities of the name, the one meant first. `reason`
    says why none of its facts could be injected, where that is the mention's own fault. `unlisted`
    counts further facts of the entity.
    """

    segment: int
    start: int
    end: int
    name: str
    entity: str
    title: str
    candidates: tuple[Candidate, ...]
    bearers: int
    node: Node | None
    facts: tuple[FactAccount, ...]
    unlisted: int
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """A tree with its pieces (one text a token), and all mentions in the order of the text."""

    tree: SentenceTree
    pieces: tuple[str, ...]
    mentions: tuple[MentionAccount, ...]
    graph: str
    policy: str

    @property
    def injected(self) -> list[FactAccount]:
        """The facts in the tree, in its order."""
        return [fact for each in self.mentions for fact in each.facts if fact.branch is not None]


def account_for(inject: Injector, text: str, pair: str | None = None) -> Account:
    """Inject facts as `inject` does, and account for all that it found.

    Raises `DataError` for a text without any token.
    """
    from kbert.accounting import Accountant

    tree = inject(text, pair)
    return Account(
        tree=tree,
        pieces=tuple(map(inject.tokenizer.piece, tree.token_ids)),
        mentions=tuple(Accountant(inject, tree).mentions()),
        graph=inject.store.name,
        policy=inject.policy.describe(),
    )
