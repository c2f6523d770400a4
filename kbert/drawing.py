"""Draw the account of a sentence tree for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from graphs import Triple
from kbert.account import Account, FactAccount, MentionAccount
from kbert.tree import SentenceTree
from kbert.widths import fitted, padded, visible, width

if TYPE_CHECKING:
    from kbert.effects import Effect, Outcome

_LEFT_OUT: Final = 6  # facts of a mention that are not in the tree, and listed all the same
_LABELS: Final = 5


def draw(
    account: Account,
    *,
    columns: int,
    outcome: Outcome | None = None,
    effects: Sequence[Effect] = (),
) -> str:
    """Draw the text, what a model says of it, and each mention with its facts.

    Lines are at most `columns` wide, as far as names can be cut. Controls and marks of direction
    in names are shown by their codes, since a terminal would obey them.
    """
    lines = list(_head(account))
    if outcome is not None:
        lines.append(_prediction(outcome))
    changes = {effect.triple: effect for effect in effects}
    for number, mention in enumerate(account.mentions):
        is_last = number == len(account.mentions) - 1
        lines += _mention(mention, account.tree, is_last=is_last, changes=changes)
    if not account.mentions:
        lines.append("(no name of the graph is in this text)")
    if account.tree.cut:
        lines.append(f"({account.tree.cut} tokens of the text were cut)")
    return "\n".join(fitted(line, columns) for line in lines)


def _head(account: Account) -> Iterator[str]:
    tree = account.tree
    yield visible(tree.text if tree.pair is None else f"{tree.text} ‖ {tree.pair}")
    facts = len(tree) - sum(tree.trunk)
    said = f"{len(tree)} tokens, {facts} of them facts; {tree.omitted} facts did not fit"
    yield visible(f"{said}; graph {account.graph}, policy {account.policy}")


def _prediction(outcome: Outcome) -> str:
    if outcome.words:
        tagged = [
            f"{word}/{outcome.labels[outcome.best(row)]}" for row, word in enumerate(outcome.words)
        ]
        return visible("predicted: " + " ".join(tagged))
    if not outcome.rows:
        return "predicted: nothing, no word of the text has a token"
    shares = outcome.rows[0]
    order = sorted(range(len(shares)), key=lambda label: -shares[label])[:_LABELS]
    return visible("predicted: " + ", ".join(f"{outcome.labels[n]} {shares[n]:.4f}" for n in order))


def _mention(
    mention: MentionAccount, tree: SentenceTree, *, is_last: bool, changes: Mapping[Triple, Effect]
) -> Iterator[str]:
    yield f"{'└' if is_last else '├'}─ {_title(mention, tree)}"
    rows = [_row(fact, tree, changes) for fact in mention.facts if fact.branch is not None]
    left = [fact for fact in mention.facts if fact.branch is None]
    rows += [_row(fact, tree, changes) for fact in left[:_LEFT_OUT]]
    more = len(left) - _LEFT_OUT + mention.unlisted if len(left) > _LEFT_OUT else mention.unlisted
    if more:
        rows.append(("╌", f"… and {more:,} more left out", ""))
    space = max((width(name) for _, name, _ in rows), default=0)
    for number, (stroke, name, said) in enumerate(rows):
        corner = "└" if number == len(rows) - 1 else "├"
        line = padded(name, min(space, 44)) + "  " + said if said else name
        yield f"{' ' if is_last else '│'}  {corner}{stroke} {line}"


def _title(mention: MentionAccount, tree: SentenceTree) -> str:
    said = f"{visible(mention.name)}  characters {mention.start}–{mention.end}"
    if mention.segment:
        said += " of the second text"
    if mention.node is not None:
        said += f", soft {_span(tree, mention.node.start, mention.node.stop)}"
    if mention.title != mention.name or mention.entity != mention.name:
        said += f", means {visible(mention.entity)}"
    if mention.bearers > 1:
        said += f", {mention.bearers} entities bear the name"
    return said + (f": nothing injected, {mention.reason}" if mention.reason else "")


def _row(
    fact: FactAccount, tree: SentenceTree, changes: Mapping[Triple, Effect]
) -> tuple[str, str, str]:
    name = fitted(visible(f"{fact.words.relation}: {fact.words.tail}"), 44)
    if fact.branch is None:
        return "╌", name, f"left out: {fact.reason}"
    said = f"soft {_span(tree, fact.branch.start, fact.branch.stop)}"
    effect = changes.get(fact.triple)
    if effect is not None:
        said += f"  Δ {effect.change:+.4f} without it"
        said += f", then {visible(effect.label)}" if effect.flips else ""
    return "─", name, said


def _span(tree: SentenceTree, start: int, stop: int) -> str:
    first, last = tree.soft_positions[start], tree.soft_positions[stop - 1]
    return str(first) if first == last else f"{first}–{last}"
