"""The page of a run of `kgbert.train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kbert.pages.markup import Child, Html, element, isolated, join
from kbert.pages.page import section
from kbert.run_pages.finetuned import curves, making
from kbert.run_pages.tables import beside, duration, facts, table
from kgbert.figure_tables import named, shown

if TYPE_CHECKING:
    from kbert.run_pages.folder import RunFiles
    from kgbert.run_pages.evaluated import Evaluated


def title(files: RunFiles) -> str:
    """Name the run in a line."""
    return f"KG-BERT on {files.run.get('data', {}).get('name')}: {files.run.get('kgbert_task')}"


def body(files: RunFiles, evaluations: Sequence[Evaluated]) -> Html:
    """Return the sections of the page."""
    found, run = files.metrics, files.run
    return join(
        section("What it can do", _dev(found), _evaluations(evaluations), name="figures"),
        section("How it learnt", *curves(found), _learning(found), name="learning"),
        section("What it read", _data(run), name="reading"),
        making(found, run),
    )  # fmt: skip


def _data(run: Mapping[str, Any]) -> Html:
    """Return what the data set held, less where it was."""
    found = {name: value for name, value in run.get("data", {}).items() if name != "path"}
    found["fingerprint"] = str(found.get("fingerprint", ""))[:16]
    return facts("Data set", found)


def _dev(found: Mapping[str, Any]) -> Html:
    """Return the figures on dev: those that chose the epoch, and those on labelled triples."""
    chosen, labelled = found.get("validation") or {}, found.get("dev_classification") or {}
    if not chosen and not labelled:
        return element("p", "There is no dev set, so nothing was measured.")
    head = ("figure", "value")
    tables = [
        table(caption, head, [[named(name), shown(name, value)] for name, value in values.items()])
        for caption, values in (
            ("Validation, of the weights that were kept", chosen),
            (f"{labelled.get('triples', 0):,} labelled dev triples, called true from 0.5 on",
             {k: v for k, v in labelled.items() if k not in ("triples", "positives")}),
        )
        if values
    ]  # fmt: skip
    return join(element("p", f"Validation: {found.get('protocol')}."), beside(*tables))


def _evaluations(evaluations: Sequence[Evaluated]) -> Child:
    """Return the figures of each evaluation that stands in the run, with a link to its page."""
    if not evaluations:
        return element(
            "p",
            "Not evaluated yet: python -m kgbert.evaluate with this folder measures it on test.",
        )
    return [
        element(
            "div",
            table(
                f"Evaluation {each.name}",
                ("figure", "value", "95 % interval"),
                [[named(name), shown(name, value), each.interval(name)]
                 for name, value in each.headline],
            ),
            element("p", element("a", f"Report of {each.name}", href=each.link)) if each.link
            else None,
            element("p", isolated(each.protocol), class_="note"),
        )
        for each in evaluations
    ]  # fmt: skip


def _learning(found: Mapping[str, Any]) -> Html:
    epochs = found.get("epochs", [])
    training = sum(epoch["seconds"] for epoch in epochs)
    used = found.get("data", {}).get("used", 0) * len(epochs)
    return facts(
        "Training",
        {
            "kept the weights of epoch": f"{found.get('best_epoch')} of {len(epochs)}",
            "parameters": found.get("parameters"),
            "peak learning rate": found.get("learning_rate"),
            "padding, share of the token slots": f"{found.get('padding_share', 0):.1%}",
            "true triples a second, validation included": used / training if training else None,
            "time in all": duration(found.get("seconds", 0.0)),
        },
    )
