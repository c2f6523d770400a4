"""What a training over triples tells people: the table, `metrics.json`, curves and model card.

Every figure comes from this run, on dev; those of test are `kgbert.evaluate`'s.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kbert.epochs import Epoch
from kbert.report import hardware
from kgbert.classification import ClassificationMetrics
from kgbert.record import RunRecord
from kgbert.stored_thresholds import StoredThresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """What a run came to.

    `dev` tells labelled dev triples apart from a probability of 0.5 on; `main` is the score that
    decided which epoch's weights were kept, "" where there was none.
    """

    record: RunRecord
    epochs: Sequence[Epoch]
    best_epoch: int
    main: str
    parameters: int
    learning_rate: float
    padding_share: float
    dev: ClassificationMetrics | None
    thresholds: StoredThresholds | None
    seconds: float

    def to_mapping(self) -> dict[str, Any]:
        """List the figures as plain values, for `metrics.json`."""
        return {
            "task": self.record.task,
            "data": asdict(self.record.data),
            "protocol": self.record.protocol,
            "seed": self.record.settings.seed,
            "parameters": self.parameters,
            "learning_rate": self.learning_rate,
            "padding_share": self.padding_share,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best_epoch": self.best_epoch,
            "validation": dict(self._best.scores),
            "dev_classification": None if self.dev is None else self.dev.to_mapping(),
            "seconds": self.seconds,
            "versions": dict(self.record.versions),
            "hardware": hardware(),
        }

    def curves(self) -> str:
        """Write a line of CSV for each epoch, under a header."""
        text = io.StringIO()
        names = list(self.epochs[0].scores)
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["epoch", "loss", *names, "seconds"])
        for epoch in self.epochs:
            lines.writerow([epoch.number, epoch.loss, *epoch.scores.values(), epoch.seconds])
        return text.getvalue()

    def table(self) -> str:
        """Draw the figures on dev for the terminal."""
        rows = self._figures()
        if not rows:
            return "no dev set, so nothing was measured"
        width = max(len(name) for name in rows)
        return "\n".join(f"{name.ljust(width)}  {value:.4f}" for name, value in rows.items())

    def kept(self) -> str:
        """Say in one line which epoch's weights the run holds."""
        text = f"kept the weights of epoch {self.best_epoch} of {len(self.epochs)}"
        score = self._best.scores.get(self.main)
        if score is None:
            return f"{text}, the last: there is no dev set"
        why = "the last, as asked" if self.record.settings.keep == "last" else "the best"
        return f"{text}, {why}: dev {self.main} {score:.4f}"

    def card(self) -> str:
        """Write the model card, in the form that the Hugging Face hub reads."""
        settings, data = self.record.settings, self.record.data
        encoder = "from scratch" if settings.init == "none" else settings.init
        lines = [
            "---",
            "library_name: kbert",
            "pipeline_tag: text-classification",
            "tags: [kg-bert, knowledge-graph]",
            "---",
            f"# KG-BERT for {self.record.task} on {data.name}",
            "",
            f"Trained with `kgbert.train` on {data.used:,} triples ({data.train:,} in train) of"
            f" {data.entities:,} entities and {data.relations:,} relations; texts:"
            f" {settings.texts}. Encoder: {encoder}, {self.parameters:,} parameters in all.",
            "",
            f"Validation: {self.record.protocol}.",
            "",
            "| on dev | |",
            "|---|---|",
            *(f"| {name} | {value:.4f} |" for name, value in self._figures().items()),
            "",
            f"- {self.kept()}",
            *self._notes(),
            "",
            "`python -m kgbert.evaluate THIS_FOLDER` measures it on test.",
            "",
            "The settings are in `config.yaml`, all figures in `metrics.json`. Made with "
            + ", ".join(f"{name} {version}" for name, version in self.record.versions.items())
            + ".",
        ]
        return "\n".join(lines) + "\n"

    @property
    def _best(self) -> Epoch:
        return self.epochs[self.best_epoch - 1]

    def _figures(self) -> dict[str, float]:
        """List the figures on dev by name."""
        rows = {f"validation {name}": value for name, value in self._best.scores.items()}
        if self.dev is not None:
            found = {f"dev {k.replace('_', ' ')}": v for k, v in self.dev.to_mapping().items()}
            rows |= {k: v for k, v in found.items() if isinstance(v, float)}
        return rows

    def _notes(self) -> list[str]:
        notes = []
        if self.thresholds is not None:
            of_relation = len(self.thresholds.thresholds.of_relation)
            notes.append(
                f"- thresholds were chosen on {self.thresholds.triples:,} dev triples, whose"
                f" labels were {self.thresholds.labels}; {of_relation} of"
                f" {self.record.data.relations} relations have one of their own"
            )
        if self.record.settings.original:
            notes.append("- trained with the choices of yao8839836/kg-bert (`--original`)")
        return notes
