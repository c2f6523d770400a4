"""The page of an evaluation: figures with intervals, groups, relations, and the worst triples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kbert.pages.markup import Child, Html, element, isolated, join
from kbert.pages.page import section
from kbert.run_pages import plots
from kbert.run_pages.finetuned import environment
from kbert.run_pages.folder import read_object, read_rows
from kbert.run_pages.tables import beside, duration, facts, table
from kgbert.figure_tables import named, shown
from kgbert.outcome import METRICS, RELATIONS
from kgbert.ranks import POLICIES

MOST_RELATIONS: Final = 60
_GROUPS: Final = ("side", "cardinality", "entities", "leakage")
_RANK_COUNTS: Final = ("queries", "candidates", "tied")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation that was read from its folder; `link` leads to its page from the run's."""

    folder: Path
    content: Mapping[str, Any]
    relations: Sequence[Mapping[str, str]]
    link: str = ""

    @classmethod
    def read(cls, folder: Path, *, link: str = "") -> Evaluated:
        """Read a folder of `kgbert.evaluate`. Raises `RunError`."""
        file = folder / RELATIONS
        rows = read_rows(file, delimiter="\t") if file.is_file() else []
        return cls(folder, read_object(folder / METRICS), rows, link)

    @property
    def name(self) -> str:
        """What the evaluation is called: its folder."""
        return self.folder.resolve().name

    @property
    def protocol(self) -> str:
        """The line that says how the figures came about."""
        return str(self.content.get("protocol", ""))

    @property
    def headline(self) -> list[tuple[str, float]]:
        """The figures that stand for the evaluation; none as long as it is not complete."""
        return list(self.content.get("headline", {}).items())

    def interval(self, name: str) -> str:
        """Write the interval of a figure, if there is one."""
        found = self.content.get("intervals", {}).get(name)
        return "–" if found is None else f"{shown(name, found[0])} to {shown(name, found[1])}"


def title(found: Evaluated) -> str:
    """Name the evaluation in a line."""
    task = str(found.content.get("task", "")).replace("-", " ")
    return f"{task.capitalize()} by {found.content.get('run', 'a run')}"


def body(found: Evaluated) -> Html:
    """Return the sections of the page."""
    content = found.content
    return join(
        element("p", isolated(found.protocol), class_="note"),
        section("Figures", _figures(found), _spread(content), name="figures"),
        section("Groups", _groups(content.get("figures", {})), name="groups")
        if content.get("figures")
        else None,
        section("Relations", _relations(found.relations), name="relations")
        if found.relations
        else None,
        section("Worst mistakes", _worst(content["worst"]), name="mistakes")
        if content.get("worst")
        else None,
        section(
            "How it was made",
            facts(
                "Circumstances",
                {
                    "run": content.get("run"),
                    "training": content.get("training"),
                    "seed": content.get("seed"),
                    "time": duration(content.get("seconds", 0.0)),
                },
            ),
            environment(content, {}),
            name="settings",
        ),
    )


def _figures(found: Evaluated) -> Html:
    content = found.content
    if not found.headline:
        return join(
            element(
                "p",
                f"{content.get('done', 0):,} of {content.get('queries', 0):,} ranks are known so"
                " far; whatever the others are, figures are between these bounds.",
            ),
            _bounds(content.get("bounds", {})),
        )
    rows = [[named(name), shown(name, value), found.interval(name)]
            for name, value in found.headline]  # fmt: skip
    caption = "Intervals hold 95 % of the bootstrap draws over test triples"
    first = table(caption, ("figure", "value", "interval"), rows)
    every = content["figures"]["all"]
    if "all" in every:
        return beside(first, _policies(every["all"]))
    return beside(first, _decisions("threshold", every))


def _policies(every: Mapping[str, Any]) -> Html:
    names = list(every["realistic"])
    rows = [
        [policy.replace("_", " "), *(shown(name, every[policy][name]) for name in names)]
        for policy in (*POLICIES, "tie_gap")
    ]
    return table("What ties change", ("ties", *map(named, names)), rows)


def _bounds(bounds: Mapping[str, Mapping[str, Sequence[float]]]) -> Html | None:
    if not bounds:
        return None
    names = list(bounds["realistic"])
    rows = [
        [policy, *(f"{shown(n, ends[n][0])} to {shown(n, ends[n][1])}" for n in names)]
        for policy, ends in bounds.items()
    ]
    return table("Bounds", ("ties", *map(named, names)), rows)


def _spread(content: Mapping[str, Any]) -> Child:
    counts = content.get("spread")
    if not counts:
        return None
    if not plots.available():
        return element("p", plots.MISSING)
    return plots.bars(
        list(counts), list(counts.values()), title="How ranks are spread", x="rank", y="queries",
        key="ranks",
    )  # fmt: skip


def _groups(figures: Mapping[str, Mapping[str, Any]]) -> list[Html]:
    found = []
    for title in _GROUPS:
        groups = figures.get(title)
        if not groups:
            continue
        if "realistic" not in next(iter(groups.values())):
            found.append(_decisions(title, groups))
            continue
        names = list(next(iter(groups.values()))["realistic"])
        rows = [
            [group, *(shown(name, each["realistic"][name]) for name in names),
             f"{each['queries']:,}"]
            for group, each in groups.items()
        ]  # fmt: skip
        found.append(table(f"By {title}", (title, *map(named, names), "queries"), rows))
    return found


def _decisions(title: str, groups: Mapping[str, Mapping[str, Any]]) -> Html:
    names = [name for name in next(iter(groups.values())) if name not in ("triples", "positives")]
    rows = [
        [group, *(shown(name, each[name]) for name in names), f"{each['triples']:,}",
         f"{each['positives']:,}"]
        for group, each in groups.items()
    ]  # fmt: skip
    return table(f"By {title}", (title, *map(named, names), "triples", "true"), rows)


def _relations(rows: Sequence[Mapping[str, str]]) -> Html:
    """Return the figures of each relation, those with most triples first."""
    count = "queries" if "queries" in rows[0] else "triples"
    columns = [
        column for column in rows[0]
        if column.startswith("realistic.") or (count == "triples" and column not in ("name", count))
    ]  # fmt: skip
    ordered = sorted(rows, key=lambda row: -int(row[count]))
    cells = [
        [row["name"], *(_figure(column, row[column]) for column in columns), f"{int(row[count]):,}"]
        for row in ordered[:MOST_RELATIONS]
    ]
    more = (
        f", the {MOST_RELATIONS} with most of {len(rows):,}" if len(rows) > MOST_RELATIONS else ""
    )
    heads = [named(column.removeprefix("realistic.")) for column in columns]
    return table(f"Figures of each relation{more}", ("relation", *heads, count), cells)


def _figure(column: str, text: str) -> str:
    if not text:
        return "–"
    name = column.removeprefix("realistic.")
    return text if name == "positives" else shown(name, float(text))


def _worst(worst: Sequence[Mapping[str, Any]]) -> Html:
    """Return the triples that were ranked or called worst."""
    ranked = "rank" in worst[0]
    rows = []
    for each in worst:
        texts = [isolated(_cut(text)) for text in each["texts"]]
        if ranked:
            asked = ("head", "relation", "tail").index(each["asked"])
            texts[asked] = element("strong", texts[asked])
            last = [f"{each['rank']:,g}", f"{each['candidates']:,}"]
        else:
            said = "false, called true" if not each["label"] else "true, called false"
            last = [said, f"{each['probability']:.4f}"]
        rows.append([*texts, *last])
    ends = ("rank", "candidates") if ranked else ("what happened", "probability")
    caption = "The part that was asked for is bold" if ranked else "Those it was surest of first"
    return table(caption, ("head", "relation", "tail", *ends), rows)


def _cut(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text):,} characters)"
