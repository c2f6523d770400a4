"""What a run tells people when it is done: the table, `metrics.json` and the model card.

Every figure comes from this run; nothing is filled in by hand.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from kbert.epochs import Epoch
from kbert.run import RunRecord

if TYPE_CHECKING:
    from kbert.tasks import Encoded
    from kbert.tokenizer import Tokenizer

_PIPELINES = {
    "classification": "text-classification",
    "pair": "text-classification",
    "tagging": "token-classification",
    "qa": "question-answering",
}
_LIBRARIES = ("kbert", "torch", "pytorch-lightning", "tokenizers", "numpy", "marisa-trie")


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What injection did to one split.

    `tokens` counts flattened trees without padding; `unknown_share` says which share of the text's
    own pieces (no facts, no special tokens) is [UNK], 0 to 1.
    """

    name: str
    examples: int
    tokens: int
    facts: int
    with_facts: int
    omitted_facts: int
    cut_examples: int
    unknown_share: float

    @classmethod
    def of(cls, name: str, encoded: Sequence[Encoded], *, tokenizer: Tokenizer) -> SplitReport:
        """Count what is in a split."""
        return cls(
            name=name,
            examples=len(encoded),
            tokens=sum(example.array.shape[1] for example in encoded),
            facts=sum(example.facts for example in encoded),
            with_facts=sum(example.facts > 0 for example in encoded),
            omitted_facts=sum(example.omitted for example in encoded),
            cut_examples=sum(example.cut > 0 for example in encoded),
            unknown_share=_unknown_share(encoded, tokenizer),
        )

    def summary(self, max_length: int) -> str:
        """Say it in one line."""
        return (
            f"{self.name}: {self.examples} examples, {self.facts} facts injected into"
            f" {self.with_facts} of them, {self.omitted_facts} facts did not fit,"
            f" {self.cut_examples} texts were cut to {max_length} tokens,"
            f" {self.unknown_share:.2%} of the text's pieces are [UNK]"
        )


@dataclass(frozen=True, slots=True)
class RunReport:
    """All figures of a run."""

    record: RunRecord
    splits: Sequence[SplitReport]
    epochs: Sequence[Epoch]
    best_epoch: int
    main: str
    majority: float | None
    overlap: int
    padding_share: float
    parameters: int
    learning_rate: float
    test: Mapping[str, float]
    test_padding_share: float
    seconds: float

    def to_mapping(self) -> dict[str, Any]:
        """List the figures as plain values, for `metrics.json`."""
        return {
            "graph": asdict(self.record.graph),
            "policy": self.record.policy,
            "seed": self.record.settings.seed,
            "parameters": self.parameters,
            "learning_rate": self.learning_rate,
            "splits": {split.name: asdict(split) for split in self.splits},
            "test_texts_in_train": self.overlap,
            "padding_share": {"train": self.padding_share, "test": self.test_padding_share},
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best_epoch": self.best_epoch,
            "dev": dict(self.epochs[self.best_epoch - 1].scores),
            "test": dict(self.test),
            "test_majority": self.majority,
            "seconds": self.seconds,
            "versions": dict(self.record.versions),
            "hardware": hardware(),
        }

    def table(self) -> str:
        """Draw the final table for the terminal: a row a metric, a column a set that there is."""
        scored = self._scored()
        if not scored:
            return "no dev or test set, so nothing was measured"
        rows = [("", *scored)]
        for name in self._metrics():
            figures = (f"{scores[name]:.4f}" for scores in scored.values())
            rows.append((name.replace("_", " "), *figures))
        if self.majority is not None:
            before = [""] * (len(scored) - 1)
            rows.append(("majority label", *before, f"{self.majority:.4f}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)

    def kept(self) -> str:
        """Say in one line which epoch's weights the run holds."""
        text = f"kept the weights of epoch {self.best_epoch} of {len(self.epochs)}"
        score = self.epochs[self.best_epoch - 1].scores.get(self.main)
        if score is None:
            return f"{text}, the last: there is no dev set"
        hint = "; nothing was learnt: try more epochs or another --learning-rate"
        name = self.main.replace("_", " ")
        return f"{text}, best by dev {name} {score:.4f}{hint if not score else ''}"

    def card(self) -> str:
        """Write the model card, in the form that the Hugging Face hub reads."""
        record, settings = self.record, self.record.settings
        graph = f"{record.graph.name}, {record.graph.triples} triples"
        lines = [
            "---",
            "library_name: kbert",
            f"pipeline_tag: {_PIPELINES[record.task]}",
            "tags: [k-bert, knowledge-graph]",
            "---",
            f"# K-BERT on {settings.data} with {settings.kg}",
            "",
            f"A {record.task} model with {len(record.labels)} labels, trained with `kbert.train`."
            f" Encoder: {'from scratch' if settings.init == 'none' else settings.init},"
            f" {self.parameters:,} parameters in all. Graph: {graph}; at most"
            f" {settings.max_facts} facts a mention, policy `{record.policy}`.",
            "",
        ]
        if names := self._metrics():
            lines.append("| | " + " | ".join(name.replace("_", " ") for name in names) + " |")
            lines.append("|---|" + "---|" * len(names))
        for split, scores in self._scored().items():
            cells = " | ".join(f"{scores[name]:.4f}" for name in names)
            lines.append(f"| {split} | {cells} |")
        lines += ["", *self._notes(), "", "Labels: " + ", ".join(record.labels), ""]
        lines += ["```python", "import kbert", "", 'model = kbert.load("this folder")']
        call = 'answer(["question"], ["context"])' if record.task == "qa" else 'predict(["…"])'
        lines += [f"model.{call}", "```", ""]
        lines += ["The settings are in `config.yaml`, all figures in `metrics.json`. Made with "]
        lines[-1] += ", ".join(f"{k} {v}" for k, v in record.versions.items()) + "."
        return "\n".join(lines) + "\n"

    def _scored(self) -> dict[str, Mapping[str, float]]:
        """Return the scores of the sets that there are."""
        scored = {"dev": self.epochs[self.best_epoch - 1].scores, "test": self.test}
        return {name: scores for name, scores in scored.items() if scores}

    def _metrics(self) -> list[str]:
        return list(next(iter(self._scored().values()), {}))

    def _notes(self) -> list[str]:
        length = self.record.settings.max_length
        notes = [f"- {split.summary(length)}" for split in self.splits]
        kept = f"- weights of epoch {self.best_epoch} of {len(self.epochs)}, "
        measured = bool(self.epochs[self.best_epoch - 1].scores)
        notes.append(
            kept + (f"the best by dev {self.main}" if measured else "the last: no dev set")
        )
        if self.majority is not None:
            notes.append(
                f"- always answering the commonest training label gives {self.majority:.4f} on test"
            )
        if self.overlap:
            notes.append(f"- {self.overlap} test texts also stand in train")
        return notes


def versions() -> dict[str, str]:
    """List the versions that a figure depends on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # used from a source tree without installation
            found[name] = "not installed"
    return found


def hardware() -> str:
    """Name the machine's processors."""
    import os

    import torch

    text = f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} threads ({platform.machine()})"
    if torch.cuda.is_available():
        text += f", {torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return text


def _unknown_share(encoded: Sequence[Encoded], tokenizer: Tokenizer) -> float:
    pieces = unknown = 0
    for example in encoded:
        ids = example.array[0][example.array[5] != 0]  # of the trunk
        special = (ids == tokenizer.cls_id) | (ids == tokenizer.sep_id)
        pieces += len(ids) - int(np.count_nonzero(special))
        unknown += int(np.count_nonzero(ids == tokenizer.unknown_id))
    return unknown / pieces if pieces else 0.0
