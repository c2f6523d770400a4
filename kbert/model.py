"""A trained model in use: `kbert.load(run).predict(texts)`.

The run says which graph it was trained with; another one is refused unless asked for, since facts
that the model never saw the like of change its answers. Predictions come in the order of the
texts and do not depend on how these are batched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from graphs import Triple, TripleStore
from kbert import metrics
from kbert.answers.asking import Answered, Asker
from kbert.answers.task import Answering
from kbert.batch import Batch, plan_batches
from kbert.errors import DataError, RunError
from kbert.examples import join_words, split_words
from kbert.forms import task_of
from kbert.knowledge import load_recorded, make_injector
from kbert.logits import logits_of
from kbert.pretrained import check_run
from kbert.run import RunRecord
from kbert.tasks import Tagging, Task, align
from kbert.tokenizer import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kbert.inject import Injector
    from kbert.tree import SentenceTree

_CHUNK = 1024  # texts that are batched together by length


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """An entity that the model found: half-open character span, its type and its text."""

    start: int
    end: int
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one text.

    Classification fills `label` and `probabilities`; tagging fills `spans` and `tags`, one a word.
    `facts` are the triples that were injected, `omitted` counts those that did not fit, `cut`
    tokens of the text that were too many to be read.
    """

    text: str
    pair: str | None
    label: str | None
    probabilities: Mapping[str, float]
    spans: tuple[FoundSpan, ...]
    tags: tuple[str, ...]
    facts: tuple[Triple, ...]
    omitted: int
    cut: int


class Model:
    """A trained network with its tokeniser, its graph and its labels."""

    def __init__(
        self, network: nn.Module, *, inject: Injector, task: Task, kind: str, unit: str
    ) -> None:
        """Bind the parts; `kbert.load` does it from a run folder."""
        self.network = network.eval()
        self.inject = inject
        self.task = task
        self.kind = kind
        self._unit = unit

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the logits."""
        return self.task.labels

    def with_injector(self, inject: Injector) -> Model:
        """Return the model with another injector; the network is shared."""
        return Model(self.network, inject=inject, task=self.task, kind=self.kind, unit=self._unit)

    def predict(
        self,
        texts: Sequence[str | Sequence[str]],
        pairs: Sequence[str] | None = None,
        *,
        places: Sequence[str] | None = None,
        batch_tokens: int = 8192,
    ) -> list[Prediction]:
        """Predict each text, or each pair of `texts[i]` and `pairs[i]`, in input order.

        A tagging model also takes texts as sequences of words, and then does just what evaluation
        does; the prediction's `text` is `join_words(words)`. That is the safe way, since the model
        learnt the words of its data set, and raw text is split by a rule that may differ from
        theirs (`split_words`, or single characters if the data set has those).
        `places` say in errors where each text comes from (default: `text 1`, …).

        Raises `DataError` for a text without tokens, or when pairs or words are missing or not
        wanted, `TypeError` for one text instead of a list, `RunError` for weights that diverged.
        """
        if isinstance(texts, str) or isinstance(pairs, str):
            raise TypeError("predict takes a list of texts, not one text")
        if isinstance(self.task, Answering):
            raise DataError("this model answers questions; say answer(questions, contexts)")
        if (pairs is not None) != (self.kind == "pair"):
            wanted = "pairs of texts" if self.kind == "pair" else "single texts"
            hint = "; say predict(texts, pairs)" if self.kind == "pair" else ""
            raise DataError(f"this model was trained on {wanted}{hint}")
        if pairs is not None and len(pairs) != len(texts):
            raise DataError(f"{len(texts)} texts but {len(pairs)} second texts")
        predictions: list[Prediction] = []
        for start in range(0, len(texts), _CHUNK):
            prepared = []
            for number in range(start, min(start + _CHUNK, len(texts))):
                pair = None if pairs is None else pairs[number]
                place = f"text {number + 1}" if places is None else places[number]
                prepared.append(self._prepare(texts[number], pair, place=place))
            predictions += self._predict(prepared, batch_tokens=batch_tokens)
        return predictions

    def answer(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        places: Sequence[str] | None = None,
        batch_tokens: int = 8192,
    ) -> list[Answered]:
        """Answer each of `questions[i]` with a span of `contexts[i]`, in input order.

        A context of any length is read in windows, as in training. `places` say in errors where
        each question comes from (default: `question 1`, …).

        Raises `DataError` for a question or context without tokens, if there are not as many of
        both, or if the model was trained for something else, `TypeError` for one question instead
        of a list, `RunError` for weights that diverged.
        """
        if isinstance(questions, str) or isinstance(contexts, str):
            raise TypeError("answer takes a list of questions and one of contexts, not one text")
        if not isinstance(self.task, Answering):
            raise DataError(f"this model was trained for {self.kind}; say predict(texts)")
        if len(questions) != len(contexts):
            raise DataError(f"{len(questions)} questions but {len(contexts)} contexts")
        names = places or [f"question {number + 1}" for number in range(len(questions))]
        asker = Asker(self.network, inject=self.inject, task=self.task, batch_tokens=batch_tokens)
        return asker.ask(questions, contexts, places=names)

    def _prepare(self, text: str | Sequence[str], pair: str | None, *, place: str) -> Prepared:
        try:
            return self.prepare(text, pair)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None

    def prepare(self, text: str | Sequence[str], pair: str | None = None) -> Prepared:
        """Build the tree of a text, with its words if these are tagged; raises `DataError`."""
        if not isinstance(self.task, Tagging):
            if not isinstance(text, str):
                raise DataError("this model was trained on texts; only tagging models take words")
            return Prepared(self.inject(text, pair), text, (), ())
        if not isinstance(text, str):
            try:
                joined, words = join_words(text)
            except ValueError as error:
                raise DataError(str(error)) from None
            return Prepared(self.inject(joined), joined, words, words)
        if self._unit == "word":
            words = split_words(text)
            return Prepared(self.inject(text), text, words, words)
        # Trained on single characters, of which even digits and letters are pieces of their own.
        words = tuple((i, i + 1) for i, char in enumerate(text) if not char.isspace())
        joined, spans = join_words([text[start:end] for start, end in words])
        return Prepared(self.inject(joined), text, words, spans)

    @torch.inference_mode()
    def _predict(self, prepared: Sequence[Prepared], *, batch_tokens: int) -> list[Prediction]:
        found: dict[int, Prediction] = {}
        device = next(self.network.parameters()).device
        lengths = [len(item.tree) for item in prepared]
        for examples in plan_batches(lengths, max_tokens=batch_tokens, seed=None):
            items = [prepared[example] for example in examples]
            batch = Batch.from_trees(
                [item.tree for item in items], pad_id=self.inject.tokenizer.pad_id
            ).to(device)
            logits = self.logits(batch)
            for example, answer in zip(examples, self._read(items, logits.cpu()), strict=True):
                found[example] = answer
        return [found[example] for example in range(len(prepared))]

    def logits(self, batch: Batch) -> Tensor:
        """Return the network's logits of a batch on its device; (B, C), or (B, L, C) of tags.

        Raises `RunError` for weights that diverged.
        """
        return logits_of(self.network, batch)

    def _read(self, items: Sequence[Prepared], logits: Tensor) -> Iterator[Prediction]:
        words = [align(item.tree, item.spans) for item in items]
        decoded = self.task.decode(logits, words)
        tagging = isinstance(self.task, Tagging)
        shares = [] if tagging else logits.softmax(dim=-1).tolist()
        for row, (item, labels) in enumerate(zip(items, decoded, strict=True)):
            tags = [self.labels[label] for label in labels]
            yield Prediction(
                text=item.text,
                pair=item.tree.pair,
                label=None if tagging else tags[0],
                probabilities={} if tagging else dict(zip(self.labels, shares[row], strict=True)),
                spans=tuple(_spans(item, tags)) if tagging else (),
                tags=tuple(tags) if tagging else (),
                facts=tuple(_facts(item.tree)),
                omitted=item.tree.omitted,
                cut=item.tree.cut,
            )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text as the model reads it: `words` are spans in `text`, `spans` those in the tree's."""

    tree: SentenceTree
    text: str
    words: tuple[tuple[int, int], ...]
    spans: tuple[tuple[int, int], ...]


def load(
    run: str | os.PathLike[str],
    *,
    kg: str | TripleStore | None = None,
    allow_other_graph: bool = False,
    device: str = "cpu",
    announce: Callable[[str], None] | None = None,
) -> Model:
    """Load what `kbert.train` wrote to `run`.

    `kg` is a graph, or names one, to use instead of the recorded one. A graph that differs from
    the recorded one raises `RunError` unless `allow_other_graph` is set; so does a folder that is
    not a run, or one whose graph is not where it was (then `kg` says where it is now).
    """
    from kbert.nn.checkpoint import load_weights
    from kbert.nn.config import EncoderConfig
    from kbert.nn.encoder import Encoder

    folder = Path(run)
    record = RunRecord.read(folder)
    store = load_recorded(record, kg=kg, folder=folder, announce=announce)
    if not allow_other_graph and store.fingerprint != record.graph.fingerprint:
        raise RunError(
            f"{folder}: the run was trained with the graph {record.graph.name} of"
            f" {record.graph.triples} triples; {store.name} of {len(store)} triples is another one"
            " (to use it all the same: --allow-other-graph, or allow_other_graph=True)"
        )
    tokenizer = Tokenizer.from_pretrained(folder)
    task = task_of(record.settings, record.labels)
    with torch.device("meta"):  # memory comes with the loaded weights
        encoder = Encoder(EncoderConfig.from_folder(folder))
        network = task.head(encoder, dropout=0.0, generator=torch.Generator())
    check_run(record, tokenizer, encoder.config, folder=folder)
    load_weights(network, folder)
    inject = make_injector(record.settings, store, tokenizer)
    return Model(network.to(device), inject=inject, task=task, kind=record.task, unit=record.unit)


def _facts(tree: SentenceTree) -> Iterator[Triple]:
    for node in tree.nodes:
        for branch in node.branches:
            yield Triple(node.entity, *branch.fact)


def _spans(item: Prepared, tags: Sequence[str]) -> Iterator[FoundSpan]:
    for span in metrics.spans(tags):
        start, end = item.words[span.start][0], item.words[span.end - 1][1]
        yield FoundSpan(start, end, span.type, item.text[start:end])
