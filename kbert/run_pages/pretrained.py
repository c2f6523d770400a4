"""The page of a run of `kbert.pretrain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kbert.pages.markup import Html, element, isolated, join
from kbert.pages.page import section
from kbert.run_pages import plots
from kbert.run_pages.finetuned import making
from kbert.run_pages.folder import numbers
from kbert.run_pages.plots import Series
from kbert.run_pages.tables import beside, duration, facts, share, table

if TYPE_CHECKING:
    from kbert.run_pages.folder import RunFiles

_SAMPLES = "samples.txt"


def title(files: RunFiles) -> str:
    """Name the run in a line."""
    return f"BERT pre-trained on {files.run.get('corpus', {}).get('path', 'texts')}"


def body(files: RunFiles) -> Html:
    """Return the sections of the page."""
    found, run = files.metrics, files.run
    ended = found.get("diverged") or ("it was interrupted" if found.get("interrupted") else "")
    return join(
        element("p", f"The training ended early: {ended}.", class_="warning") if ended else None,
        section("What it can do", _held_out(found), _samples(files), name="figures"),
        section("How it learnt", *_curves(files), _learning(found, run), name="learning"),
        section("What it read", _corpus(run), _knowledge(run), name="reading"),
        making(found, run),
    )


def _held_out(found: Mapping[str, Any]) -> Html:
    measures = found.get("held_out") or []
    if not measures:
        return element("p", "No texts were held out, so nothing was measured.")
    last = measures[-1]
    rows = [
        [name, *(f"{values[what]:.4f}" if what in values else "–" for what in ("loss", "accuracy")),
         f"{values.get('targets', 0):,}"]
        for name, values in last.items() if isinstance(values, dict)
    ]  # fmt: skip
    caption = f"Held-out texts after step {last['step']:,}: loss {last['loss']:.4f}"
    return table(caption, ("objective", "loss", "accuracy", "targets"), rows)


def _samples(files: RunFiles) -> Html | None:
    """Return the masked sentences that were filled, as training told them."""
    file = files.folder / _SAMPLES
    if not file.is_file():
        return None
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines:
        return None
    return join(
        element("h3", "Masked pieces, filled"),
        element("ul", [element("li", isolated(line)) for line in lines], class_="samples"),
    )


def _curves(files: RunFiles) -> list[Html | None]:
    rows = files.curves
    columns = list(rows[0]) if rows else []
    sets = {"train": "train", "held out": "held out"}
    losses = [
        Series(told, *numbers(rows, x="step", y="loss", set=name)) for name, told in sets.items()
    ]
    accuracies = [
        Series(f"{column.removesuffix('_accuracy')}, {told}",
               *numbers(rows, x="step", y=column, set=name))
        for column in columns if column.endswith("_accuracy")
        for name, told in sets.items()
    ]  # fmt: skip
    speed = [Series("tokens a second", *numbers(rows, x="step", y="tokens_per_second"))]
    rate = [Series("learning rate", *numbers(rows, x="step", y="rate"))]
    return [
        None if plots.available() else element("p", plots.MISSING),
        beside(
            plots.lines(losses, title="Loss", x="step", y="loss", key="loss"),
        plots.lines(accuracies, title="Accuracy of each objective", x="step", y="accuracy",
                    key="accuracy"),
        plots.lines(speed, title="Speed", x="step", y="tokens a second", key="speed"),
        plots.lines(rate, title="Learning rate", x="step", y="rate", key="rate"),
        ),
    ]  # fmt: skip


def _learning(found: Mapping[str, Any], run: Mapping[str, Any]) -> Html:
    return facts(
        "Training",
        {
            "weights of step": found.get("step"),
            "parameters": found.get("parameters"),
            "tokens": found.get("tokens"),
            "tokens a second": found.get("tokens_per_second"),
            "padding, share of the token slots": share(found.get("padding_share")),
            "packed": run.get("settings", {}).get("packing"),
            "time of training": duration(found.get("training_seconds", 0.0)),
            "time in all": duration(found.get("seconds", 0.0)),
        },
    )


def _corpus(run: Mapping[str, Any]) -> Html:
    return facts("Corpus", run.get("corpus", {}))


def _knowledge(run: Mapping[str, Any]) -> Html | None:
    """Return the graph and the facts found in the corpus, if there was one."""
    if not run.get("graph"):
        return None
    return join(facts("Graph", run["graph"]), facts("Facts in the corpus", run.get("facts", {})))
