"""What labels mean: from examples to targets, from logits to predictions, from those to scores.

Two forms cover the three tasks of labels: one label a text or pair (`Classification`), one tag a
word (`Tagging`); `kbert.answers` holds that of answers. Targets and predictions have one shape for
both: a tuple of label ids an example, of
length one or as many as it has words. A word's tag stands on its first piece; a word that was cut
off, or that has no piece, is predicted as `O`, so a gold entity that was cut counts as missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kbert import metrics
from kbert.batch import Batch
from kbert.errors import DataError
from kbert.examples import TaggedExample, TextExample, join_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kbert.inject import Injector
    from kbert.nn import Classifier, Encoder, SpanFinder, Tagger
    from kbert.tree import SentenceTree

Head: TypeAlias = "Classifier | SpanFinder | Tagger"
IGNORED = -100  # the target of a token without a label; torch's default


class Encoded(NamedTuple):
    """An example ready for batching.

    `array` is `SentenceTree.array`; `target` the label ids; `words` the flattened token of each
    word's first piece, -1 where there is none (empty for classification). Other tasks than those
    of labels have targets of their own.
    """

    array: NDArray[np.int32]
    target: tuple[Any, ...]
    words: NDArray[np.int32]
    facts: int
    omitted: int
    cut: int


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Inputs and targets of one step. *Shape:* targets (B,), (B, L) or (B, 2), int64."""

    inputs: Batch
    targets: Tensor
    examples: tuple[int, ...]

    def to(self, device: torch.device | str, **_: object) -> LabelledBatch:
        """Move every tensor (the training loop passes keywords that do not matter here)."""
        return LabelledBatch(self.inputs.to(device), self.targets.to(device), self.examples)

    def rows(self, start: int, stop: int) -> LabelledBatch:
        """Return some of the examples, padded as they are."""
        inputs, targets = self.inputs.rows(start, stop), self.targets[start:stop]
        return LabelledBatch(inputs, targets, self.examples[start:stop])


class Task(Protocol):
    """One form of labels; `main` names the metric that chooses the best checkpoint.

    What `decode` predicts is the task's own affair: `score` takes it with the targets.
    """

    main: ClassVar[str]

    @property
    def labels(self) -> tuple[str, ...]:
        """The label names, in the order of their ids."""

    def head(self, encoder: Encoder, *, dropout: float, generator: torch.Generator) -> Head:
        """Put a fresh task layer on an encoder."""

    def targets(self, encoded: Sequence[Encoded], *, length: int) -> Tensor:
        """Stack the targets of a batch that is `length` tokens long."""

    def decode(self, logits: Tensor, words: Sequence[NDArray[np.int32]]) -> Sequence[Any]:
        """Choose label ids for each example of a batch."""

    def score(self, gold: Sequence[Any], predicted: Sequence[Any]) -> dict[str, float]:
        """Measure predictions."""


@dataclass(frozen=True, slots=True)
class Classification:
    """One label a text or pair."""

    labels: tuple[str, ...]
    main: ClassVar[str] = "accuracy"

    def encode(self, example: TextExample | TaggedExample, inject: Injector) -> Encoded:
        """Inject facts into the text or pair and look up its label."""
        assert isinstance(example, TextExample) and example.label is not None
        tree = _tree(inject, example.text, example.pair, place=example.place)
        target = (self.labels.index(example.label),)
        return _encoded(tree, target, np.empty(0, dtype=np.int32))

    def head(self, encoder: Encoder, *, dropout: float, generator: torch.Generator) -> Classifier:
        """Put a linear layer on the pooled first token."""
        from kbert.nn import Classifier

        return Classifier(encoder, len(self.labels), dropout=dropout, generator=generator)

    def targets(self, encoded: Sequence[Encoded], *, length: int) -> Tensor:
        """Stack label ids. *Shape:* (B,)."""
        return torch.tensor([example.target[0] for example in encoded])

    def decode(self, logits: Tensor, words: Sequence[NDArray[np.int32]]) -> list[tuple[int, ...]]:
        """Take the likeliest label. *Shape:* logits (B, C)."""
        return [(label,) for label in logits.argmax(dim=-1).tolist()]

    def score(
        self, gold: Sequence[tuple[int, ...]], predicted: Sequence[tuple[int, ...]]
    ) -> dict[str, float]:
        """Return accuracy and macro F1, both 0 to 1."""
        wanted = [self.labels[label] for (label,) in gold]
        given = [self.labels[label] for (label,) in predicted]
        return {
            "accuracy": metrics.accuracy(wanted, given),
            "macro_f1": metrics.macro_f1(wanted, given, labels=self.labels),
        }


@dataclass(frozen=True, slots=True)
class Tagging:
    """One BIO or BIOES tag a word; `labels[0]` is `O`."""

    labels: tuple[str, ...]
    main: ClassVar[str] = "f1"

    def encode(self, example: TextExample | TaggedExample, inject: Injector) -> Encoded:
        """Join the words to raw text, inject facts, and find each word's first piece."""
        assert isinstance(example, TaggedExample) and example.tags is not None
        text, spans = join_words(example.words)
        tree = _tree(inject, text, None, place=example.place)
        return _encoded(tree, tuple(map(self.labels.index, example.tags)), align(tree, spans))

    def head(self, encoder: Encoder, *, dropout: float, generator: torch.Generator) -> Tagger:
        """Put a linear layer on each token."""
        from kbert.nn import Tagger

        return Tagger(encoder, len(self.labels), dropout=dropout, generator=generator)

    def targets(self, encoded: Sequence[Encoded], *, length: int) -> Tensor:
        """Put tag ids on first pieces, and nothing elsewhere. *Shape:* (B, L)."""
        targets = np.full((len(encoded), length), IGNORED, dtype=np.int64)
        for row, example in enumerate(encoded):
            present = example.words >= 0
            targets[row, example.words[present]] = np.array(example.target)[present]
        return torch.from_numpy(targets)

    def decode(self, logits: Tensor, words: Sequence[NDArray[np.int32]]) -> list[tuple[int, ...]]:
        """Take the likeliest tag of each word. *Shape:* logits (B, L, C)."""
        tags = logits.argmax(dim=-1).cpu().numpy()
        return [
            tuple(np.where(tokens >= 0, tags[row, tokens], 0).tolist())
            for row, tokens in enumerate(words)
        ]

    def score(
        self, gold: Sequence[tuple[int, ...]], predicted: Sequence[tuple[int, ...]]
    ) -> dict[str, float]:
        """Return micro-averaged typed span precision, recall and F1, and token accuracy."""
        wanted = [[self.labels[tag] for tag in tags] for tags in gold]
        given = [[self.labels[tag] for tag in tags] for tags in predicted]
        scores = metrics.span_scores(wanted, given)
        flat = [tag for tags in wanted for tag in tags]
        return {
            "f1": scores.f1,
            "precision": scores.precision,
            "recall": scores.recall,
            "token_accuracy": metrics.accuracy(flat, [tag for tags in given for tag in tags]),
        }


def make_task(
    kind: Literal["classification", "pair", "tagging"], labels: Sequence[str]
) -> Classification | Tagging:
    """Make the task that a setting names."""
    return Tagging(tuple(labels)) if kind == "tagging" else Classification(tuple(labels))


def align(tree: SentenceTree, spans: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    """Find the flattened token of each word's first piece; -1 for a word without a piece left."""
    tokens = np.full(len(spans), -1, dtype=np.int32)
    word = 0
    for token, start in enumerate(tree.starts):
        while word < len(spans) and spans[word][1] <= start:
            word += 1
        if word == len(spans):
            break
        if start >= spans[word][0] and tokens[word] < 0:
            tokens[word] = token
    return tokens


def collate(
    task: Task, encoded: Sequence[Encoded], examples: tuple[int, ...], *, pad_id: int
) -> LabelledBatch:
    """Make one batch of encoded examples; `examples` are their places in the data set."""
    inputs = Batch.from_arrays([example.array for example in encoded], pad_id=pad_id)
    targets = task.targets(encoded, length=inputs.token_ids.shape[1])
    return LabelledBatch(inputs, targets, examples)


def labels_in(targets: Tensor) -> Tensor:
    """Count the labels of a batch, (), at least one."""
    return (targets != IGNORED).sum().clamp(min=1)


def loss(logits: Tensor, targets: Tensor, *, of: Tensor) -> Tensor:
    """Divide the cross-entropy of labels by `of`, which is their number in the whole batch.

    *Shapes:* logits (..., C), targets (...), of (). Tokens without a label do not count; a batch
    without any label has loss 0.
    """
    flat = targets.flatten()
    total = cross_entropy(
        logits.flatten(0, -2).float(), flat, ignore_index=IGNORED, reduction="sum"
    )
    return total / of


def _tree(inject: Injector, text: str, pair: str | None, *, place: str) -> SentenceTree:
    try:
        return inject(text, pair)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None


def _encoded(tree: SentenceTree, target: tuple[int, ...], words: NDArray[np.int32]) -> Encoded:
    facts = sum(len(node.branches) for node in tree.nodes)
    return Encoded(tree.array(), target, words, facts, tree.omitted, tree.cut)
