"""The sentence with its mentions marked, and each mention with its candidates and facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from kbert.account import Account, FactAccount, MentionAccount
from kbert.pages.markup import Html, element, isolated, join
from kbert.tree import SentenceTree

_SHOWN: Final = 60  # mentions that are gone through one by one


class Mark(NamedTuple):
    """A span of a text to be marked; `number` is the mention's, `with_facts` how it looks."""

    start: int
    end: int
    number: int
    with_facts: bool


def sentence(account: Account) -> Html:
    """Return the text, and the pair, with each mention a link to what is said of it."""
    marks: dict[int, list[Mark]] = {0: [], 1: []}
    for number, each in enumerate(account.mentions):
        marks[each.segment].append(Mark(each.start, each.end, number, each.node is not None))
    return _texts(account.tree, marks)


def plain_sentence(tree: SentenceTree) -> Html:
    """Return the text of a tree of which no account is there, with the mentions that have facts."""
    marks: dict[int, list[Mark]] = {0: [], 1: []}
    for number, node in enumerate(tree.nodes):
        start, end = tree.starts[node.start], tree.ends[node.stop - 1]
        if start >= 0:
            marks[tree.segments[node.start]].append(Mark(start, end, number, True))
    return _texts(tree, marks, links=False)


def _texts(tree: SentenceTree, marks: dict[int, list[Mark]], *, links: bool = True) -> Html:
    texts = [tree.text] if tree.pair is None else [tree.text, tree.pair]
    return join(
        element("p", _marked(text, marks[segment], links=links), class_="text", dir="auto")
        for segment, text in enumerate(texts)
    )


def _marked(text: str, marks: Sequence[Mark], *, links: bool) -> Html:
    parts: list[Html | str] = []
    at = 0
    for start, end, number, with_facts in marks:
        parts.append(text[at:start])
        name = text[start:end]
        if links and number < _SHOWN:
            inner = element("a", name, href=f"#mention-{number}")
        else:
            inner = join(name)
        parts.append(element("mark", inner, class_="known" if with_facts else "bare"))
        at = end
    parts.append(text[at:])
    return join(*parts)


def mentions(account: Account) -> Html:
    """Return each mention with those who bear its name, its facts, and why some are left out."""
    shown = account.mentions[:_SHOWN]
    more = len(account.mentions) - len(shown)
    return join(
        [_mention(number, each, account.tree) for number, each in enumerate(shown)],
        element("p", f"{more} further mentions are not listed.") if more else None,
        None if account.mentions else element("p", "No name of the graph is in this text."),
    )


def _mention(number: int, mention: MentionAccount, tree: SentenceTree) -> Html:
    place = f"characters {mention.start}–{mention.end}"
    place += " of the second text" if mention.segment else ""
    injected = [fact for fact in mention.facts if fact.branch is not None]
    left = [fact for fact in mention.facts if fact.branch is None]
    tables = [_table([_row(fact, tree) for fact in injected])] if injected else []
    if left or mention.unlisted:
        count = len(left) + mention.unlisted
        rows = [_row(fact, tree) for fact in left]
        if mention.unlisted:
            many = f"{mention.unlisted:,} further facts are not listed."
            rows.append(element("tr", element("td", many, colspan=4)))
        said = f"{count:,} {'fact' if count == 1 else 'facts'} left out, and why"
        tables.append(element("details", element("summary", said), _table(rows)))
    return element(
        "article",
        element("h3", isolated(mention.name), " ", element("small", place)),
        element("p", "Nothing injected: ", mention.reason) if mention.reason else None,
        _candidates(mention),
        tables,
        id=f"mention-{number}",
    )


def _table(rows: Sequence[Html]) -> Html:
    names = ("relation", "tail", "tokens", "in the tree?")
    head = element("tr", [element("th", name, scope="col") for name in names])
    table = element("table", element("thead", head), element("tbody", rows))
    return element("div", table, class_="scroll")


def _candidates(mention: MentionAccount) -> Html | None:
    if mention.bearers < 2 and mention.title == mention.entity == mention.name:
        return None
    if mention.bearers < 2:
        return element("p", "Means ", element("code", isolated(mention.entity)), ".")
    items = [
        element(
            "li",
            element("code", isolated(each.entity)),
            f" {each.facts:,} facts",
            ", meant here" if each.entity == mention.entity else None,
        )
        for each in mention.candidates
    ]
    more = mention.bearers - len(items)
    if more > 0:
        items.append(element("li", f"and {more:,} more"))
    return join(
        element("p", f"{mention.bearers} entities bear this name:"),
        element("ol", items, class_="candidates"),
    )


def _row(fact: FactAccount, tree: SentenceTree) -> Html:
    if fact.branch is None:
        fate, kind = fact.reason, "out"
    else:
        first, last = (tree.soft_positions[n] for n in (fact.branch.start, fact.branch.stop - 1))
        fate, kind = f"yes, soft positions {first}–{last}", "in"
    return element(
        "tr",
        element("td", isolated(fact.words.relation)),
        element("td", isolated(fact.words.tail)),
        element("td", fact.tokens, class_="number"),
        element("td", fate),
        class_=kind,
    )
