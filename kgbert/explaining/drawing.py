"""An explanation as lines for a terminal, aligned where names are Chinese as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from kbert.widths import visible, width

if TYPE_CHECKING:
    from kgbert.explaining.explanation import Explanation
    from kgbert.explaining.layout import Layout
    from kgbert.explaining.leaving_out import Contribution
    from kgbert.explaining.nearest import Near
    from kgbert.explaining.rivals import Standing

_LONGEST: Final = 60  # characters of a name
_PIECES: Final = 400  # pieces that are drawn of an input


def draw(found: Explanation) -> str:
    """Draw all of an explanation."""
    head, relation, tail = (shortened(part.text) for part in found.layout.parts)
    blocks = [[f"{head} — {relation} → {tail}", *_scores(found)]]
    blocks.append(_layout(found.layout))
    blocks.append(_contributions(found.contributions))
    blocks += [_standing(each, filtered=bool(found.data)) for each in found.standings]
    if found.data:
        blocks.append(_nearest(found.nearest))
    return "\n\n".join("\n".join(block) for block in blocks)


def shortened(text: str) -> str:
    """Cut a name to one line of bounded length, without control characters."""
    return visible(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def stated(found: Explanation) -> str:
    """Say in a line where the data state the triple, and its reverse."""
    own = f"stated in {', '.join(found.stated)}" if found.stated else "not stated"
    turned = f"; its reverse is stated in {', '.join(found.reversed_in)}"
    return f"{own} by {found.data}{turned if found.reversed_in else ''}"


def ranked(each: Standing, *, filtered: bool) -> str:
    """Say in a line what the rank is, and among whom."""
    ties = f", by ties {each.best:,} to {each.worst:,}" if each.best != each.worst else ""
    drawn = f" drawn of {each.possible:,}" if each.candidates < each.possible else ""
    known = f"; {each.known:,} known answers left out" if filtered else "; nothing left out"
    return f"rank {each.rank:,.10g} of {each.candidates:,} candidates{drawn}{ties}{known}"


def _scores(found: Explanation) -> Iterator[str]:
    line = f"probability {found.probability:.4f}, log-odds {found.difference:+.4f}"
    if found.calibrated is not None:
        line += f", calibrated {found.calibrated:.4f}"
    yield line
    if (verdict := found.verdict) is not None:
        yield (
            f"called {'true' if verdict.called_true else 'false'}: {verdict.score:.4f},"
            f" threshold {verdict.threshold:.4f} ({verdict.scope})"
        )
    yield stated(found) if found.data else "no data set: ranks are raw, and nothing is near"


def _layout(layout: Layout) -> list[str]:
    shown = layout.tokens[:_PIECES]
    more = f" … {len(layout.tokens) - len(shown):,} more" if len(layout.tokens) > _PIECES else ""
    lines = [f"what is read: {len(layout.tokens):,} tokens of at most {layout.max_length:,}"]
    for segment in (0, 1):
        count = sum(token.segment == segment for token in layout.tokens)
        lines[0] += f", {count:,} of segment {segment}"
    lines.append("  " + " ".join(token.piece for token in shown) + more)
    for part in layout.parts:
        if part.cut:
            lost = shortened(part.text[part.reach :].strip())
            lines.append(f"  cut of the {part.name}: {part.cut:,} pieces: {lost}")
        if not part.ids:
            lines.append(f"  the {part.name} is not read")
    return lines


def _contributions(found: Sequence[Contribution]) -> list[str]:
    rows = [["what each text adds to the log-odds", "left out", "masked", "typical"]]
    for each in found:
        values = (each.left_out, each.masked, each.typical)
        rows.append(["  " + each.part, *("-" if v is None else f"{v:+.4f}" for v in values)])
    return aligned(rows)


def _standing(each: Standing, *, filtered: bool) -> list[str]:
    lines = [f"{each.part} asked for: {ranked(each, filtered=filtered)}"]
    rows = [
        [f"  {rival.rank:,}", shortened(rival.text), f"{rival.probability:.4f}",
         "← the triple's own" if rival.is_answer else ""]
        for rival in each.top
    ]  # fmt: skip
    return lines + aligned(rows)


def _nearest(found: Sequence[Near]) -> list[str]:
    if not found:
        return ["no training triple to compare with"]
    rows = [["nearest training triples", "cosine", ""]]
    for each in found:
        head, relation, tail = map(shortened, each.texts)
        shares = f"shares {', '.join(each.shares)}" if each.shares else ""
        rows.append([f"  {head} — {relation} → {tail}", f"{each.cosine:.3f}", shares])
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns by their width on a terminal, those of figures to the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(width, column)) for column in columns]
    right = [number > 0 and any(map(_is_figure, column)) for number, column in enumerate(columns)]
    lines = []
    for row in rows:
        cells = []
        for cell, wide, to_right in zip(row, widths, right, strict=True):
            room = " " * (wide - width(cell))
            cells.append(room + cell if to_right else cell + room)
        lines.append("  ".join(cells).rstrip())
    return lines


def _is_figure(cell: str) -> bool:
    return bool(cell) and not cell.strip("+-0123456789.,")
