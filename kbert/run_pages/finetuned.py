"""The page of a run of `kbert.train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbert.pages.labels import labels_of
from kbert.pages.markup import Html, element, isolated, join
from kbert.pages.page import section
from kbert.pages.tree_figure import both_figures
from kbert.run_pages import plots
from kbert.run_pages.plots import Series
from kbert.run_pages.tables import (
    beside,
    confusion,
    duration,
    estimates,
    facts,
    settings,
    share,
    table,
)

if TYPE_CHECKING:
    from kbert.run_pages.folder import RunFiles
    from kbert.run_pages.mistakes import Tested, Wrong
    from kbert.tree import SentenceTree

_LONGEST = 1_500  # characters of a text that was read wrongly
_DRAWN = 128  # tokens of a tree that is drawn
_BAD_LABEL = (
    "The surest first: in brackets the probability of what was said less that of the right label,"
    " and file and line. Each with the tree that was read; under a token stands its soft position."
)
_BAD = {
    "tagging": "In brackets how many entities were missed or made up, and file and line. Each with"
    " the tree that was read; under a token stands its soft position.",
    "qa": "In brackets 1 less the F1 of the answer, and where the question stands.",
}


def title(files: RunFiles) -> str:
    """Name the run in a line."""
    chosen = files.run.get("settings", {})
    return f"K-BERT on {chosen.get('data')} with {chosen.get('kg')}"


def body(files: RunFiles, tested: Tested | None, *, why_not: str) -> Html:
    """Return the sections of the page; `why_not` says why there is nothing `tested`."""
    found, run = files.metrics, files.run
    return join(
        section("What it can do", _scores(found), _tested(tested, why_not=why_not), name="figures"),
        section("How it learnt", *curves(found), _learning(found), name="learning"),
        section("What it read", beside(_splits(found), _graph(run)), name="reading"),
        None if tested is None or not tested.wrong else section(
            f"Worst of {tested.wrong:,} wrong predictions", _worst(tested.worst), name="mistakes",
            note=_BAD.get(files.task, _BAD_LABEL),
        ),
        making(found, run),
    )  # fmt: skip


def _scores(found: Mapping[str, Any]) -> Html:
    """Return the figures on dev and test that training measured."""
    sets = {name: found[name] for name in ("dev", "test") if found.get(name)}
    if not sets:
        return element("p", "There is no dev and no test set, so nothing was measured.")
    names = list(next(iter(sets.values())))
    rows = [
        [name.replace("_", " "), *(f"{scores[name]:.4f}" for scores in sets.values())]
        for name in names
    ]
    if found.get("test_majority") is not None and "test" in sets:
        before = [""] * (len(sets) - 1)
        rows.append(["always the commonest label", *before, f"{found['test_majority']:.4f}"])
    return table("Figures of the weights that were kept", ("figure", *sets), rows)


def _tested(tested: Tested | None, *, why_not: str) -> Html:
    if tested is None:
        return element("p", why_not)
    some = tested.examples < tested.possible
    return join(
        element("p", f"{tested.examples:,} evenly spaced examples of {tested.possible:,}.")
        if some
        else None,
        estimates(tested.estimates, examples=tested.examples),
        None if tested.counts is None else confusion(tested.counts, tested.labels),
        table(
            "Entities by type",
            ("type", "precision", "recall", "F1", "entities"),
            [[each.type, f"{each.precision:.4f}", f"{each.recall:.4f}", f"{each.f1:.4f}",
              f"{each.support:,}"] for each in tested.types],
        ) if tested.types else None,
    )  # fmt: skip


def curves(found: Mapping[str, Any]) -> list[Html | None]:
    """Draw loss and scores by epoch; what is not drawn stands in the table all the same."""
    epochs = found.get("epochs", [])
    steps = [epoch["number"] for epoch in epochs]
    loss = Series("training loss", steps, [epoch["loss"] for epoch in epochs])
    names = list(epochs[0]["scores"]) if epochs else []
    scores = [
        Series(name.replace("_", " "), steps, [epoch["scores"][name] for epoch in epochs])
        for name in names
    ]
    rows = [
        [str(epoch["number"]), f"{epoch['loss']:.4f}",
         *(f"{value:.4f}" for value in epoch["scores"].values()), duration(epoch["seconds"])]
        for epoch in epochs
    ]  # fmt: skip
    as_table = table("Epochs", ("epoch", "loss", *names, "time"), rows)
    return [
        None if plots.available() else element("p", plots.MISSING),
        beside(
            plots.lines([loss], title="Loss on train", x="epoch", y="loss", key="loss"),
            plots.lines(scores, title="Figures on dev", x="epoch", y="figure", key="dev"),
        ),
        element("details", element("summary", "Epochs as a table"), as_table),
    ]


def _learning(found: Mapping[str, Any]) -> Html:
    padding = found.get("padding_share", {})
    epochs = found.get("epochs", [])
    training = sum(epoch["seconds"] for epoch in epochs)
    examples = found.get("splits", {}).get("train", {}).get("examples", 0) * len(epochs)
    return facts(
        "Training",
        {
            "kept the weights of epoch": f"{found.get('best_epoch')} of {len(epochs)}",
            "parameters": found.get("parameters"),
            "peak learning rate": found.get("learning_rate"),
            "padding, share of the token slots in train": share(padding.get("train")),
            "padding in test": share(padding.get("test")),
            "examples a second, validation included": examples / training if training else None,
            "time in all": duration(found.get("seconds", 0.0)),
        },
    )


def _splits(found: Mapping[str, Any]) -> Html:
    rows = [
        [name, f"{split['examples']:,}", f"{split['tokens'] / max(1, split['examples']):.1f}",
         f"{split['facts']:,}", share(split["with_facts"] / max(1, split["examples"])),
         f"{split['omitted_facts']:,}", f"{split['cut_examples']:,}",
         share(split["unknown_share"])]
        for name, split in found.get("splits", {}).items()
    ]  # fmt: skip
    head = ("set", "examples", "tokens each", "facts", "examples with facts", "facts left out",
            "texts cut", "[UNK] in the text")  # fmt: skip
    overlap = found.get("test_texts_in_train", 0)
    note = f"{overlap:,} test texts also stand in train." if overlap else None
    return join(table("Data", head, rows), note and element("p", note))


def _graph(run: Mapping[str, Any]) -> Html:
    graph = run.get("graph", {})
    return facts(
        "Graph",
        {
            "name": graph.get("name"),
            "triples": graph.get("triples"),
            "fingerprint": str(graph.get("fingerprint", ""))[:16],
            "policy of facts": run.get("policy"),
        },
    )


def _worst(worst: Sequence[Wrong]) -> Html:
    return element("ol", [element("li", _mistake(each)) for each in worst])


def _mistake(each: Wrong) -> Html:
    tree = None if each.tree is None else drawn(each.tree, each.pieces)
    return join(
        element("p", "right: ", element("strong", isolated(each.right)), ", said: ",
                element("strong", isolated(each.said or "nothing")),
                f" (by {each.badness:.2f}; ", isolated(Path(each.place).name), ")"),
        element("blockquote", _cut(each.text), dir="auto"),
        None if each.pair is None else element("blockquote", _cut(each.pair), dir="auto"),
        tree,
    )  # fmt: skip


def drawn(tree: SentenceTree, pieces: Sequence[str]) -> Html:
    """Draw the tree that was read, and write it folded up; one that is too long is only written."""
    text = element("pre", tree.render(), class_="drawing", dir="auto")
    if len(tree) > _DRAWN:
        return text
    figures = both_figures(tree, labels_of(tree, pieces), wide=820, narrow=300, still=True)
    written = element("details", element("summary", "The tree as text"), text)
    return element("div", figures, written, class_="tree")


def making(found: Mapping[str, Any], run: Mapping[str, Any]) -> Html:
    """Return the section on settings, versions and hardware."""
    chosen = settings(run.get("settings", {}))
    return section("How it was made", chosen, environment(found, run), name="settings")


def environment(found: Mapping[str, Any], run: Mapping[str, Any]) -> Html:
    """Return what the run was made with."""
    versions = run.get("versions") or found.get("versions") or {}
    return facts("Made with", {**versions, "hardware": found.get("hardware")})


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
