"""What a model says of one text, and what each injected fact did to it.

The effect of a fact is found by taking it away: the text is predicted with a graph that lacks the
fact, and that is all there is to it. So what comes in its place comes in here, too: the next fact
of the mention, one for which there is room now, or a shorter name where an entity has nothing left
to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graphs import Triple, TripleStore
from graphs.lacking import without
from kbert.account import Account, account_for
from kbert.batch import Batch
from kbert.inject import Injector
from kbert.model import Model
from kbert.tasks import Tagging, align
from kbert.tree import SentenceTree


@dataclass(frozen=True, slots=True)
class Outcome:
    """Probabilities of each label: one row for a text, or one for each of its words.

    `words` are what the rows are about, and empty for a text as a whole.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    words: tuple[str, ...]

    def best(self, row: int) -> int:
        """Return the likeliest label of a row."""
        return max(range(len(self.labels)), key=self.rows[row].__getitem__)


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes where the graph lacks `triple`.

    `change` is the probability without it less that with it, of the label that is predicted with
    it; of tags the word with the largest change counts, and `row` is its row. `flips` counts the
    rows with another label, `label` is that of `row` without the fact. `words` is the triple as a
    person reads it, and so are the facts that come `instead`.
    """

    triple: Triple
    words: Triple
    outcome: Outcome
    row: int
    change: float
    flips: int
    label: str
    instead: tuple[Triple, ...]


def outcome_of(model: Model, text: str, pair: str | None = None) -> tuple[SentenceTree, Outcome]:
    """Predict one text, alone in its batch; return the tree that the model read, too.

    Raises `DataError` for a text without tokens, `RunError` for weights that diverged.
    """
    prepared = model.prepare(text, pair)
    tree = prepared.tree
    device = next(model.network.parameters()).device
    batch = Batch.from_trees([tree], pad_id=model.inject.tokenizer.pad_id).to(device)
    shares = model.logits(batch)[0].softmax(dim=-1).cpu()
    if not isinstance(model.task, Tagging):
        return tree, Outcome(model.labels, (tuple(shares.tolist()),), ())
    tokens = align(tree, prepared.spans).tolist()
    read = [(word, token) for word, token in zip(prepared.words, tokens, strict=True) if token >= 0]
    rows = tuple(tuple(shares[token].tolist()) for _, token in read)
    words = tuple(prepared.text[start:end] for (start, end), _ in read)
    return tree, Outcome(model.labels, rows, words)


def effects_of(
    model: Model,
    account: Account,
    *,
    rebuild: Callable[[TripleStore], Injector],
) -> Iterator[Effect]:
    """Take away each fact of a tree that `model` read, once where it was injected twice.

    `rebuild` makes the injector of a graph as that of the model was made. Each fact costs a pass
    over the graph and one through the network.
    """
    text, pair = account.tree.text, account.tree.pair
    _, whole = outcome_of(model, text, pair)
    if not whole.rows:  # no word of the text has a piece
        return
    there = _in_words(account)
    for triple, words in there.items():
        inject = rebuild(without(model.inject.store, triple))
        _, outcome = outcome_of(model.with_injector(inject), text, pair)
        left = _in_words(account_for(inject, text, pair))
        instead = tuple(said for fact, said in left.items() if fact not in there)
        yield _effect(triple, words, whole, outcome, instead=instead)


def _effect(
    triple: Triple, words: Triple, whole: Outcome, outcome: Outcome, *, instead: tuple[Triple, ...]
) -> Effect:
    best = [whole.best(row) for row in range(len(whole.rows))]
    changes = [
        left[label] - had[label]
        for had, left, label in zip(whole.rows, outcome.rows, best, strict=True)
    ]
    row = max(range(len(changes)), key=lambda number: abs(changes[number]))
    return Effect(
        triple=triple,
        words=words,
        outcome=outcome,
        row=row,
        change=changes[row],
        flips=sum(outcome.best(number) != label for number, label in enumerate(best)),
        label=outcome.labels[outcome.best(row)],
        instead=instead,
    )


def _in_words(account: Account) -> dict[Triple, Triple]:
    """Return the facts in a tree, each once, as a person reads them."""
    return {
        fact.triple: Triple(mention.title, *fact.words)
        for mention in account.mentions
        for fact in mention.facts
        if fact.branch is not None
    }
