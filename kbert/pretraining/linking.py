"""Link a corpus with a graph, sentence by sentence: one pass before the training, kept on disk.

A sentence is linked as a text of its own, by the same `Injector` as in fine-tuning; no name reaches
over the end of a sentence. The result does not depend on the number of processes. Memory does not
grow with the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.progress import Progress
from kbert.errors import DataError, RunError
from kbert.inject import Injector
from kbert.pretraining.links import COUNTS, DTYPES, LinkCounts, Links
from kbert.pretraining.parallel import ordered_map
from kbert.pretraining.shards import Corpus
from kbert.pretraining.units import entity_starts
from kbert.tree import Anchor

_SENTENCES: Final = 1 << 11  # linked at a time
_REMEMBERED: Final = 1 << 18  # facts, and lists of facts, that are written once

_Fact = tuple[tuple[int, ...], int]  # pieces, and how many of them are the relation's


class _Run(NamedTuple):
    """Some sentences: their mentions' tokens in the corpus, and which of `lists` each has."""

    starts: list[int]
    stops: list[int]
    chosen: list[int]
    lists: list[tuple[_Fact, ...]]
    units: list[NDArray[np.bool_]]
    omitted: int
    named: int


@dataclass(kw_only=True)
class Linker:
    """Links runs of sentences of a corpus; what the worker processes do."""

    corpus: Corpus
    injector: Injector
    entities: bool
    _said: dict[Any, _Fact] = field(default_factory=dict)

    def __call__(self, run: tuple[int, int]) -> _Run:
        """Link sentences `run[0]` to `run[1]` - 1. Raises `DataError` for texts of other pieces."""
        corpus = self.corpus
        begins = corpus.sentences[run[0] : run[1] + 1].tolist()
        made = _Run([], [], [], [], [], omitted=0, named=0)
        numbers: dict[tuple[_Fact, ...], int] = {}
        omitted = named = 0
        for number, begin, end in zip(range(*run), begins, begins[1:], strict=False):
            text = corpus.text(number)
            encoding, anchors, lost = self.injector.anchors(text)
            pieces = corpus.token_ids[begin:end]
            if encoding.ids != pieces.tolist():
                message = f"sentence {number + 1}: its text and its pieces differ; build it again"
                raise DataError(message, file=corpus.path)
            omitted += lost
            for anchor in anchors:
                facts = self._facts(anchor)
                made.starts.append(begin + anchor.start)
                made.stops.append(begin + anchor.stop)
                made.chosen.append(numbers.setdefault(facts, len(numbers)))
            if self.entities:
                spans = [(mention.start, mention.end) for mention in self.injector.mentions(text)]
                offsets = np.array([encoding.starts, encoding.ends]).T
                words = corpus.word_starts(pieces)
                starts = entity_starts(word_starts=words, offsets=offsets, mentions=spans)
                made.units.append(starts)
                named += len(spans)
        made.lists.extend(numbers)
        return made._replace(omitted=omitted, named=named)

    def _facts(self, anchor: Anchor) -> tuple[_Fact, ...]:
        """Return the facts of an anchor; where a relation is read, it comes before the tail."""
        if len(self._said) > _REMEMBERED:
            self._said.clear()
        found = []
        for fact, ids in anchor.facts:
            said = self._said.get(fact)
            if said is None:
                tail = len(self.injector.tokenizer.encode(fact.tail).ids)
                said = self._said[fact] = (tuple(ids), len(ids) - tail)
            found.append(said)
        return tuple(found)


class _Writer:
    """Appends runs to the files of a linked corpus."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._files: dict[str, BinaryIO] = {
            name: stack.enter_context((folder / name).open("wb")) for name in DTYPES
        }
        self._facts: dict[_Fact, int] = {}
        self._lists: dict[tuple[_Fact, ...], tuple[int, int, int]] = {}
        self._numbers = [0, 0, 0, 0]  # facts, lists, entries of lists, pieces of facts
        self._counts = LinkCounts(0, 0, 0, 0)
        for name in ("sentences", "lists", "pieces"):
            self._write(name, [0])

    def add(self, run: _Run, sentences: NDArray[np.int64]) -> None:
        """Append a run whose sentences end at the tokens `sentences`."""
        lists = np.array([self._list(each) for each in run.lists], dtype=np.int64).reshape(-1, 3)
        number, tokens, count = lists[np.array(run.chosen, dtype=np.int64)].T
        was = self._counts
        after = was.fact_tokens + np.cumsum(tokens)
        starts, stops = (np.array(each, dtype=np.int64) for each in (run.starts, run.stops))
        before = np.concatenate([[was.fact_tokens], after])
        self._write("firsts", starts + after - tokens)
        self._write("begins", stops + after - tokens)
        self._write("ends", stops + after)
        self._write("stops", stops)
        self._write("chosen", number)
        self._write("sentences", sentences + before[np.searchsorted(stops, sentences, "right")])
        if run.units:
            self._write("units", np.concatenate(run.units))
        self._counts = LinkCounts(
            mentions=was.mentions + len(stops),
            facts=was.facts + int(count.sum()),
            fact_tokens=int(before[-1]),
            omitted=was.omitted + run.omitted,
            named=was.named + run.named,
        )

    def _list(self, facts: tuple[_Fact, ...]) -> tuple[int, int, int]:
        """Return the number of a list of facts, its tokens, and its length."""
        known = self._lists.get(facts)
        if known is None:
            if len(self._lists) > _REMEMBERED:
                self._lists.clear()
            self._write("facts", [self._fact(fact) for fact in facts])
            self._numbers[2] += len(facts)
            self._write("lists", [self._numbers[2]])
            tokens = sum(len(ids) for ids, _ in facts)
            known = self._lists[facts] = (self._numbers[1], tokens, len(facts))
            self._numbers[1] += 1
        return known

    def _fact(self, fact: _Fact) -> int:
        number = self._facts.get(fact)
        if number is None:
            number = self._facts[fact] = self._numbers[0]
            self._numbers[0] += 1
            self._write("ids", fact[0])
            self._write("relations", [fact[1]])
            self._numbers[3] += len(fact[0])
            self._write("pieces", [self._numbers[3]])
        return number

    def end(self) -> LinkCounts:
        """Return what was found in all."""
        return self._counts

    def _write(self, name: str, values: Any) -> None:
        self._files[name].write(np.asarray(values, dtype=DTYPES[name]).tobytes())


def link(
    corpus: Corpus,
    folder: Path,
    *,
    injector: Injector,
    entities: bool,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> Links:
    """Link a corpus that keeps its texts; write the result to `folder`, which is made, and open it.

    With `entities` each entity named, with facts or without, becomes a unit of masking. `workers`
    are spawned if there are several. Raises `DataError` for a corpus without texts, or whose texts
    are not those of its pieces, `RunError` where nothing can be written.
    """
    linker = Linker(corpus=corpus, injector=injector, entities=entities)
    try:
        _link(linker, folder, workers=workers, progress=progress)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return Links.open(folder)


def _link(
    linker: Linker, folder: Path, *, workers: int, progress: Callable[[Progress], None] | None
) -> None:
    folder.mkdir()
    corpus, count = linker.corpus, linker.corpus.counts.sentences
    spans = [(at, min(at + _SENTENCES, count)) for at in range(0, count, _SENTENCES)]
    with ExitStack() as stack:
        writer = _Writer(folder, stack)
        results = stack.enter_context(closing(ordered_map(linker, spans, workers=workers)))
        for (begin, end), run in zip(spans, results, strict=True):
            writer.add(run, corpus.sentences[begin + 1 : end + 1])
            if progress is not None:
                progress(Progress("link", end, count))
        counts = writer.end()
    (folder / COUNTS).write_text(json.dumps(counts._asdict()), encoding="utf-8")
