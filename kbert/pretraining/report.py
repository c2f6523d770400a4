"""What a pre-training run came to, and the files of its folder that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kbert import console
from kbert.nn.checksums import seal
from kbert.pretraining.objectives import described
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.watch import Measure
from kbert.report import hardware, versions
from kbert.run import FORMAT, write_json, write_report

KIND: Final = "pretraining"


@dataclass(frozen=True, slots=True)
class PretrainReport:
    """What a run came to; `step` is that of the weights that were kept.

    `slots` are the token slots of its batches, padding included, if they were counted.
    """

    settings: PretrainSettings
    corpus: dict[str, Any]
    knowledge: dict[str, Any]
    parameters: int
    step: int
    measures: Sequence[Measure]
    samples: Sequence[str]
    tokens: int
    training_seconds: float
    seconds: float
    diverged: str = ""
    slots: int | None = None

    def to_mapping(self) -> dict[str, Any]:
        """List the figures for `metrics.json`."""
        return {
            "parameters": self.parameters,
            "step": self.step,
            "diverged": self.diverged,
            "held_out": [
                {
                    "step": measure.step,
                    "loss": measure.loss,
                    **described(measure.scores),
                }
                for measure in self.measures
            ],
            "tokens": self.tokens,
            "padding_share": 1 - self.tokens / self.slots if self.slots else None,
            "training_seconds": self.training_seconds,
            "tokens_per_second": self.tokens / max(1e-9, self.training_seconds),
            "seconds": self.seconds,
            "hardware": hardware(),
        }

    def table(self) -> str:
        """Draw the last validation for the terminal."""
        if not self.measures:
            return "no held-out texts, so nothing was measured"
        lines = [f"{'held out':10} {'loss':>8} {'accuracy':>9} {'targets':>9}"]
        for name, score in self.measures[-1].scores.items():
            lines.append(f"{name:10} {score.loss:8.4f} {score.accuracy:9.4f} {score.targets:9,}")
        return "\n".join(lines)

    def _graph(self) -> list[str]:
        """Say in a line of the model card which graph there was."""
        if not self.knowledge:
            return []
        graph, found = self.knowledge["graph"], self.knowledge["facts"]
        return [
            f"Graph: {graph['name']} ({graph['triples']:,} triples), {found['facts']:,} facts in"
            f" the corpus; masked was: {self.settings.mask_where}."
        ]

    def card(self) -> str:
        """Write the model card."""
        settings, corpus = self.settings, self.corpus
        phases = ", then ".join(f"{p.steps:,} of length {p.max_length}" for p in settings.plan)
        lines = [
            "# A BERT pre-trained with kbert.pretrain",
            "",
            f"{self.parameters:,} parameters; weights of step {self.step:,} of"
            f" {settings.total_steps:,} ({phases}).",
            f"Corpus: {corpus['tokens']:,} tokens in {corpus['documents']:,} documents, of which"
            f" {corpus['held_out']:,} were held out. Sentence relation: {settings.relation}."
            f" {_asked(settings)}",
            *self._graph(),
            "",
            "```",
            self.table(),
            "```",
            "",
            "Fine-tune it with `python -m kbert.train --init FOLDER`.",
        ]
        if self.diverged:
            lines += ["", f"Its training ended early: {self.diverged}"]
        return "\n".join(lines) + "\n"


def _asked(settings: PretrainSettings) -> str:
    """Say what was to be predicted, for the model card."""
    masked = f"Masked: {settings.mask_rate:.0%} of the tokens, by {settings.unit}."
    if settings.causal_share == 0:
        return masked
    load = "`BertLMHeadModel.from_pretrained(FOLDER, is_decoder=True)` of transformers reads so"
    if settings.causal_share == 1:
        return f"Read left to right, each next token predicted: {load}. `[MASK]` was never seen."
    return f"{masked} Read left to right instead: {settings.causal_share:.0%} of sequences; {load}."


def write_run(report: PretrainReport, folder: Path) -> None:
    """Write all that stands beside the weights, and say the samples."""
    settings = report.settings
    content = {"format": FORMAT, "task": KIND, "corpus": report.corpus}
    content |= report.knowledge
    content |= {"settings": settings.to_mapping(), "versions": versions()}
    write_json(folder / "run.json", content)
    seal(folder, ("run.json",))
    (folder / "config.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    (folder / "samples.txt").write_text(
        "".join(f"{line}\n" for line in report.samples), encoding="utf-8"
    )
    for line in report.samples:
        console.say(f"sample: {line}")
    write_report(folder, metrics=report.to_mapping(), card=report.card())
