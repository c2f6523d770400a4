"""The look of a report, on a screen of any width, in light and dark, and on paper."""

from __future__ import annotations

from typing import Final

_RULES: Final = """
.report .scroll { margin: .8rem 0; }
table.figures { font-variant-numeric: tabular-nums; }
table.figures caption { text-align: start; font-weight: 600; padding-block-end: .3rem; }
table.figures th, table.figures td { padding-inline: 0 1.2rem; }
table.figures td.number { padding-inline: .4rem 1.2rem; }
table.figures td, table.figures td bdi, table.figures th { overflow-wrap: break-word; }
table.figures td bdi { display: inline; max-height: none; }
.long { max-height: 14rem; overflow: auto; overflow-wrap: anywhere; white-space: pre-wrap; }
div.long { min-width: 14rem; }
.level { display: inline-block; vertical-align: middle; margin-inline-end: .4rem; }
.level .scale { fill: var(--line); }
.level .gain { fill: var(--good); }
.level .loss { fill: var(--bad); }
.level .zero { fill: var(--faint); }
.signed { white-space: nowrap; font-variant-numeric: tabular-nums; }
table.figures th[scope=row] { font-weight: 400; min-width: 4rem; max-width: 22rem; }
.number.words { white-space: normal; }
table.figures .words bdi { overflow-wrap: anywhere; }
table.figures thead th.number { text-align: end; white-space: normal; vertical-align: bottom; }
table.confusion td { text-align: end; padding-inline: .7rem; min-width: 2.8rem; }
table.confusion th { padding-inline-end: .8rem; }
table.confusion thead th { text-align: end; }
%SHADES%
figure.plot { margin: .8rem 0; flex: 1 1 20rem; max-width: 40rem; min-width: 0; }
figure.plot svg { display: block; width: 100%; height: auto; }
figure.plot svg text { font-size: 10px; fill: currentColor; }
figure.plot figcaption { font-size: .9rem; color: var(--faint); }
.beside { display: flex; flex-wrap: wrap; column-gap: 2rem; align-items: flex-start; }
.beside > .scroll { max-width: 100%; }
.mistakes li { margin-block-end: 1.4rem; break-inside: avoid; }
.mistakes ol { padding-inline-start: 1.5rem; }
.mistakes blockquote {
  margin: .4rem 0; padding-inline-start: .8rem; overflow-wrap: anywhere;
  border-inline-start: 3px solid var(--line); max-height: 16rem; overflow-y: auto;
}
pre.drawing {
  overflow-x: auto; line-height: 1.35; font-size: .85rem; background: var(--panel);
  padding: .6rem .8rem; border-radius: .4rem; margin: .4rem 0;
}
.mistakes .token { cursor: default; }
.samples li { overflow-wrap: anywhere; }
.warning { font-weight: 600; color: var(--bad); }
@media print {
  section:not(.mistakes) details::details-content { content-visibility: visible; block-size: auto; }
  pre.drawing, .mistakes blockquote, .long { max-height: none; overflow: visible; }
  pre.drawing { white-space: pre-wrap; }
  table.figures { font-size: .8rem; }
  figure.plot { max-width: 48%; break-inside: avoid; }
}
"""


def _shades() -> str:
    """Return a colour for each tenth of a row's share: cells that are right, and wrong."""
    kinds = (("right", "46 154 107", 0.055), ("wrong", "217 102 43", 0.075))
    return "\n".join(
        f"td.{kind}.share-{tenth} {{ background: rgb({colour} / {tenth * strength:.3f}); }}"
        for kind, colour, strength in kinds
        for tenth in range(1, 11)
    )


STYLE: Final = _RULES.replace("%SHADES%", _shades())
"""Rules for the elements of this package, beside those of every page."""
