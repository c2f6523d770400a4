"""An explanation as a page, and as what a notebook shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kbert.pages.inspection import frame
from kbert.pages.markup import Child, Html, element, isolated, join
from kbert.pages.page import document, section
from kbert.run_pages.style import STYLE
from kbert.run_pages.tables import beside, facts, long_text, table
from kgbert.explaining.drawing import ranked, shortened, stated

if TYPE_CHECKING:
    from kgbert.explaining.explanation import Explanation
    from kgbert.explaining.layout import Layout, ReadPart
    from kgbert.explaining.leaving_out import Contribution
    from kgbert.explaining.nearest import Near
    from kgbert.explaining.rivals import Standing

_LONG: Final = 300  # characters above which a text has a box of its own
_BAR: Final = 64.0
_MORE: Final = """
.pieces {
  display: flex; flex-wrap: wrap; gap: .25rem; padding: 0; margin: .5rem 0; list-style: none;
}
.pieces li {
  padding: .1rem .4rem; border: 1px solid var(--line); border-radius: .3rem;
  background: var(--panel); overflow-wrap: anywhere;
}
.pieces li.head, .pieces li.tail { background: var(--trunk); border-color: var(--trunk-edge); }
.pieces li.relation { background: var(--fact); border-color: var(--fact-edge); }
.pieces li small { color: inherit; opacity: .75; }
.verdict { font-size: 1.05rem; }
"""


def page(found: Explanation) -> Html:
    """Return a document that needs nothing else and runs no script."""
    title = " — ".join(shortened(part.text) for part in found.layout.parts)
    return document(title, *_parts(found), more_style=STYLE + _MORE, scripted=False)


def fragment(found: Explanation) -> Html:
    """Return the page for a notebook, shut off from what is around it."""
    return frame(page(found), height=640, title="Why a triple has its score")


def _parts(found: Explanation) -> list[Child]:
    head, relation, tail = (isolated(shortened(part.text)) for part in found.layout.parts)
    return [
        element("h1", head, " — ", relation, " → ", tail),
        *_verdict(found),
        section("Score", _scores(found), name="score"),
        section(
            "What is read", *_layout(found.layout), name="reading",
            note=f"{len(found.layout.tokens):,} tokens of at most {found.layout.max_length:,};"
            " the small number is the segment",
        ),
        section(
            "What each text adds", _contributions(found.contributions), name="contributions",
            note="Log-odds of the triple, less those with the text left out, with its pieces"
            " masked, and on average over the candidates in its place",
        ),
        section(
            "Who else fits", beside(*(_standing(each, found) for each in found.standings)),
            name="ranks",
        ) if found.standings else None,
        section(
            "Nearest training triples", _nearest(found.nearest), name="nearest",
            note="Cosine of the last layer's hidden state of [CLS], the mean taken away",
        ) if found.data else None,
    ]  # fmt: skip


def _verdict(found: Explanation) -> list[Html]:
    lines = []
    if (verdict := found.verdict) is not None:
        said = element("strong", "true" if verdict.called_true else "false")
        why = f": {verdict.score:.4f}, threshold {verdict.threshold:.4f} ({verdict.scope})"
        lines.append(element("p", "Called ", said, why, class_="verdict"))
    told = stated(found) if found.data else "No data set: ranks are raw, and nothing is near"
    return [*lines, element("p", isolated(f"{told[:1].upper()}{told[1:]}."), class_="summary")]


def _scores(found: Explanation) -> Html:
    return facts(
        "Of the triple being true",
        {
            "probability": f"{found.probability:.4f}",
            "log-odds": f"{found.difference:+.4f}",
            "calibrated probability": "there is no calibrator"
            if found.calibrated is None
            else f"{found.calibrated:.4f}",
        },
    )


def _layout(layout: Layout) -> list[Child]:
    tokens = [
        element(
            "li", isolated(token.piece), " ", element("small", token.segment),
            class_=token.part or None, title=token.part or "special",
        )
        for token in layout.tokens
    ]  # fmt: skip
    rows = [
        [part.name, shortened(part.id), f"{len(part.pieces):,}", f"{part.cut:,}", _text(part)]
        for part in layout.parts
    ]
    return [
        element("ol", tokens, class_="pieces", aria_label="The input, piece by piece"),
        table("Parts", ("part", "id", "pieces", "pieces cut", "text"), rows),
    ]


def _text(part: ReadPart) -> Html:
    """Return a text; what is not read of it stands folded up behind it."""
    if not part.ids:
        return join(isolated(part.text), " (not read)")
    if not part.cut:
        return long_text(part.text) if len(part.text) > _LONG else isolated(part.text)
    rest = part.text[part.reach :]
    return join(
        long_text(part.text[: part.reach]),
        element("details", element("summary", f"not read: {len(rest):,} characters"),
                long_text(rest)),
    )  # fmt: skip


def _contributions(found: Sequence[Contribution]) -> Html:
    values = [value for each in found for value in (each.left_out, each.masked, each.typical)]
    most = max((abs(value) for value in values if value is not None), default=0.0)
    rows = [
        [
            each.part,
            *(_bar(value, most=most) for value in (each.left_out, each.masked, each.typical)),
        ]
        for each in found
    ]
    return table("Contributions", ("text", "left out", "masked", "typical"), rows)


def _bar(value: float | None, *, most: float) -> Html:
    """Draw a figure with a bar from the middle: to the right what speaks for the triple."""
    if value is None:
        return Html("–")
    middle = _BAR / 2
    reach = middle * abs(value) / most if most else 0.0
    drawn = element(
        "svg",
        element("rect", class_="scale", x=0, y=5, width=_BAR, height=2),
        element("rect", class_="gain" if value >= 0 else "loss",
                x=middle if value >= 0 else middle - reach, y=0, width=max(0.5, reach), height=12,
                rx=2),
        element("rect", class_="zero", x=middle - 0.5, y=-1, width=1, height=14),
        viewBox=f"0 -1 {_BAR:.0f} 14", width=_BAR, height=14, aria_hidden="true", class_="level",
    )  # fmt: skip
    return element("span", drawn, f"{value:+.4f}", class_="signed")


def _standing(each: Standing, found: Explanation) -> Html:
    rows = [
        [f"{rival.rank:,}", _named(rival.text, own=rival.is_answer), f"{rival.probability:.4f}"]
        for rival in each.top
    ]
    return element(
        "div",
        element("h3", f"The {each.part} asked for"),
        element("p", ranked(each, filtered=bool(found.data)), class_="note"),
        table("Best candidates", ("rank", each.part, "probability"), rows),
    )


def _named(text: str, *, own: bool) -> Html:
    name = isolated(text)
    return element("strong", name, " (the triple's own)") if own else name


def _nearest(found: Sequence[Near]) -> Html:
    if not found:
        return element("p", "There is no training triple to compare with.")
    rows = [
        [f"{each.cosine:.3f}", *map(isolated, each.texts), ", ".join(each.shares) or "nothing"]
        for each in found
    ]
    head = ("cosine", "head", "relation", "tail", "shares")
    return table("Most alike first", head, rows)
