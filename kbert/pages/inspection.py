"""The page about one sentence tree: figures, reasons and, with a model, what the facts did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kbert.account import Account
from kbert.pages import sentence
from kbert.pages.attention import attention_figures
from kbert.pages.labels import labels_of
from kbert.pages.markup import Child, Html, element, isolated, join
from kbert.pages.matrix import matrix_figure, sees
from kbert.pages.outcome import effects_table, prediction
from kbert.pages.page import document, section
from kbert.pages.token_table import token_table
from kbert.pages.tree_figure import both_figures
from kbert.tree import SentenceTree

if TYPE_CHECKING:
    from kbert.attention import Gaze
    from kbert.effects import Effect, Outcome

DRAWN: Final = 512
"""The longest tree whose matrix is drawn; of a longer one the page says so."""
_POINT = (
    "Point at a token, tap it, or go along the tokens with the arrow keys: it lights what it sees."
)


class Findings(NamedTuple):
    """What a model says of a text: its prediction, what each fact did, and where it looks."""

    outcome: Outcome
    effects: Sequence[Effect] = ()
    gazes: Sequence[Gaze] = ()
    note: str = ""


def tree_page(tree: SentenceTree, *, pieces: Sequence[str] = ()) -> Html:
    """Return the page of a tree alone."""
    labels = labels_of(tree, pieces)
    return _page(tree, labels, before=[section("Text", sentence.plain_sentence(tree), name="text")])


def inspection_page(account: Account, findings: Findings | None = None) -> Html:
    """Return the page of a tree with the account of it, and a model's findings if there are any."""
    tree, labels = account.tree, account.pieces
    policy = element("p", "Facts of ", isolated(account.graph), ", chosen by the policy ",
                     isolated(account.policy), ".", class_="note")  # fmt: skip
    before = [section("Text", sentence.sentence(account), policy, name="text")]
    after = [section("Mentions and their facts", sentence.mentions(account), name="mentions")]
    if findings is not None:
        before.append(section("Prediction", prediction(findings.outcome), name="prediction"))
        before.append(_effects(findings))
        if findings.gazes:
            figures = attention_figures(findings.gazes, tree, labels)
            note = "A row is a head of a layer, a column a token; the stronger its colour, the more"
            note += " attention."
            after.insert(0, section("Attention", figures, name="attention", note=note))
    return _page(tree, labels, before=before, after=after)


def _effects(findings: Findings) -> Html:
    note = (
        "The text predicted with a graph that lacks the fact, all else being the same. Δ is the"
        " probability of the label predicted above, without the fact less with it."
    )
    table = effects_table(findings.outcome, findings.effects) if findings.effects else None
    said = findings.note or (None if findings.effects else "No fact was injected.")
    parts = [table, element("p", said) if said else None]
    return section("What each fact does", *parts, name="effects", note=note)


def _page(
    tree: SentenceTree,
    labels: Sequence[str],
    *,
    before: Sequence[Child],
    after: Sequence[Child] = (),
) -> Html:
    title = tree.text if len(tree.text) <= 80 else tree.text[:79] + "…"
    data: dict[str, Any] = {"labels": list(labels), "trunk": list(map(int, tree.trunk))}
    visible = tree.visible() if len(tree) <= DRAWN else None
    said = element("p", _POINT, class_="said", id="seen", role="status", aria_live="polite")
    matrix: Child = element("p", f"{len(tree)} tokens; the matrix is drawn for at most {DRAWN}.")
    table: Child = None
    if visible is not None:
        data["sees"] = sees(visible)
        figure = matrix_figure(visible, labels, tree.trunk)
        matrix = element("div", figure, class_="scroll")
        table = token_table(tree, labels, visible, data["sees"])
    legend = element("p", element("b", "Over"), " a token its place in the sequence, ",
                     element("b", "under"), " it its soft position.", class_="note")  # fmt: skip
    return document(
        f"{title} · sentence tree",
        element("h1", isolated(title), dir="auto"),
        _summary(tree),
        *before,
        section("Sentence tree", legend, said if visible is not None else None,
                both_figures(tree, labels), name="tree"),
        section("Visible matrix", matrix, table, name="matrix",
                note="Row q, column k: filled where token q sees token k."),
        *after,
        data=data,
    )  # fmt: skip


def _summary(tree: SentenceTree) -> Html:
    facts = sum(len(node.branches) for node in tree.nodes)
    injected = len(tree) - sum(tree.trunk)
    parts = [
        f"{len(tree)} tokens, {injected} of them facts",
        f"{_count(len(tree.nodes), 'mention')} with {_count(facts, 'fact')}",
    ]
    if tree.omitted:
        parts.append(f"{tree.omitted} facts did not fit")
    if tree.cut:
        parts.append(f"{tree.cut} tokens of the text were cut")
    return join(element("p", " · ".join(parts), class_="summary"))


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def frame(page: Html, *, height: int, title: str = "Sentence tree") -> Html:
    """Return a page within a page, for a notebook: it cannot reach what is around it."""
    return element(
        "iframe",
        srcdoc=str(page),
        sandbox="allow-scripts",
        width="100%",
        height=height,
        title=title,
        loading="lazy",
    )
