"""What a model says of a text, and what each fact did to that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kbert.pages.markup import Html, element, isolated, join

if TYPE_CHECKING:
    from kbert.effects import Effect, Outcome

_LABELS: Final = 12  # labels that are shown, the likeliest first
_WORDS: Final = 200
_BAR: Final = 120.0


def prediction(outcome: Outcome) -> Html:
    """Return the probabilities of a text's labels, or the likeliest tag of each of its words."""
    if outcome.words:
        return _tags(outcome)
    if not outcome.rows:
        return element("p", "No word of this text has a token, so nothing is predicted.")
    shares = outcome.rows[0]
    order = sorted(range(len(shares)), key=lambda label: -shares[label])
    rows = [_label(outcome.labels[n], shares[n], first=n == order[0]) for n in order[:_LABELS]]
    more = len(order) - len(rows)
    table = element("table", element("tbody", rows), aria_label="Probability of each label")
    return join(table, element("p", f"and {more} less likely labels") if more else None)


def _label(label: str, share: float, *, first: bool) -> Html:
    return element(
        "tr",
        element("th", isolated(label), scope="row"),
        element("td", _bar(0.0, share), class_="bar"),
        element("td", f"{share:.4f}", class_="number"),
        class_="best" if first else None,
    )


def _tags(outcome: Outcome) -> Html:
    words = []
    for row, word in enumerate(outcome.words[:_WORDS]):
        best = outcome.best(row)
        tag, share = outcome.labels[best], outcome.rows[row][best]
        said = element("small", tag, " ", f"{share:.2f}")
        kind = "tag outside" if tag == "O" else "tag"
        words.append(element("span", isolated(word), said, class_=kind))
    more = len(outcome.words) - len(words)
    return join(
        element("p", words, class_="tags"), element("p", f"and {more} more words") if more else None
    )


def effects_table(outcome: Outcome, effects: Sequence[Effect]) -> Html:
    """Return a row for each fact: how the prediction changes where the graph lacks it."""
    names = ["without the fact", "then predicted", "Δ probability", "", "comes in instead"]
    if outcome.words:
        names.insert(1, "of the word")
    head = element("tr", [element("th", name, scope="col", class_=None if name else "bar")
                          for name in names])  # fmt: skip
    rows = [_effect(outcome, effect) for effect in effects]
    table = element("table", element("thead", head), element("tbody", rows))
    return element(
        "div", table, class_="scroll", tabindex=0, role="region", aria_label="What each fact does"
    )


def _effect(outcome: Outcome, effect: Effect) -> Html:
    before = outcome.labels[outcome.best(effect.row)]
    changed = effect.label != before
    instead = [element("li", *_fact(triple)) for triple in effect.instead]
    word = isolated(outcome.words[effect.row]) if outcome.words else None
    flips = f" ({effect.flips} words change)" if outcome.words and effect.flips else None
    return element(
        "tr",
        element("td", *_fact(effect.words)),
        None if word is None else element("td", word, " ", element("small", before)),
        element("td", isolated(effect.label), " instead" if changed else None, flips),
        element("td", f"{effect.change:+.4f}".replace("-", "−"), class_="number"),
        element(
            "td", _bar(min(0.0, effect.change), max(0.0, effect.change), signed=True), class_="bar"
        ),
        element("td", element("ul", instead) if instead else "nothing"),
        class_="flip" if changed or effect.flips else None,
    )


def _fact(triple: Sequence[str]) -> list[Html | str]:
    head, relation, tail = triple
    return [isolated(head), " · ", isolated(relation), " · ", isolated(tail)]


def _bar(low: float, high: float, *, signed: bool = False) -> Html:
    """Draw a bar from `low` to `high` on a scale from 0, or -1 if signed, to 1."""
    scale = _BAR / 2 if signed else _BAR
    zero = _BAR / 2 if signed else 0.0
    parts = [
        element("rect", class_="scale", x=0, y=5, width=_BAR, height=2),
        element("rect", class_="loss" if low < 0 else "gain", x=zero + low * scale, y=0,
                width=max(0.5, (high - low) * scale), height=12, rx=2),
    ]  # fmt: skip
    if signed:
        parts.append(element("rect", class_="zero", x=zero - 0.5, y=-1, width=1, height=14))
    return element(
        "svg", parts, viewBox=f"0 -1 {_BAR:.0f} 14", width=_BAR, height=14, aria_hidden="true"
    )
