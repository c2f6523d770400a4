"""transformers' way from the same shards to masked batches, for `benchmarks.pretraining_data`.

A dataset gives one example at a time, as lists, with the special tokens marked, which its
documentation recommends; `DataCollatorForLanguageModeling` pads them and masks 15 %, 80/10/10.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from kbert.pretraining.pairs import Pairs
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.shards import Corpus, SpecialIds
from kbert.pretraining.targets import IGNORED

RATE: Final = 0.15

Example = dict[str, list[int]]
Batch = dict[str, Any]


class Collator:
    """Makes batches of sequences of a corpus by transformers' means; `kind` is `pt` or `np`."""

    def __init__(self, corpus: Corpus, *, kind: str) -> None:
        """Make its tokeniser and collator."""
        from transformers import AutoTokenizer, DataCollatorForLanguageModeling

        self._corpus = corpus
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer = AutoTokenizer.from_pretrained(str(corpus.data), local_files_only=True)
        self._collate = DataCollatorForLanguageModeling(
            tokenizer,
            mlm_probability=RATE,
            mask_replace_prob=0.8,
            random_replace_prob=0.1,
            return_tensors=kind,
            seed=1,
        )

    def examples(self, pairs: Pairs, numbers: Sequence[int]) -> list[Example]:
        """Read sequences as a map-style dataset would, one after the other."""
        return [self._example(pairs, number) for number in numbers]

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad and mask."""
        batch: Batch = self._collate(examples)
        return batch

    def _example(self, pairs: Pairs, number: int) -> Example:
        special, stored = self._corpus.special, self._corpus.token_ids
        (begin, middle), (start, end) = pairs.a[number].tolist(), pairs.b[number].tolist()
        first, second = stored[begin:middle].tolist(), stored[start:end].tolist()
        ids, marks = [special.cls, *first, special.sep], [1, *[0] * len(first), 1]
        segments = [0] * len(ids)
        if second:
            ids += [*second, special.sep]
            marks += [*[0] * len(second), 1]
            segments += [1] * (len(second) + 1)
        return {
            "input_ids": ids,
            "token_type_ids": segments,
            "special_tokens_mask": marks,
            "attention_mask": [1] * len(ids),
        }


def check_same(batch: Batch, ours: MicroBatch) -> None:
    """Raise `RuntimeError` unless both hold the same sequences and segments, corruption aside."""
    ids, segments = ours.inputs.token_ids.clone(), ours.inputs.segments
    masked = ours.targets.masked
    assert masked is not None
    ids.view(-1)[masked.places] = masked.labels
    sizes = ours.inputs.lengths.tolist()
    rows = zip(ids.tolist(), segments.tolist(), sizes, strict=True)
    expected = [(row[:size], types[:size]) for row, types, size in rows]
    if expected != restored(batch):
        raise RuntimeError("ours and transformers' batches do not hold the same sequences")


def restored(batch: Batch) -> list[tuple[list[int], list[int]]]:
    """Put the original pieces back; return ids and segments of each row without its padding."""
    ids, labels = (np.asarray(batch[name]) for name in ("input_ids", "labels"))
    originals = np.where(labels == IGNORED, ids, labels).tolist()
    segments = np.asarray(batch["token_type_ids"]).tolist()
    sizes = np.asarray(batch["attention_mask"]).sum(axis=1).tolist()
    rows = zip(originals, segments, sizes, strict=True)
    return [(row[:size], types[:size]) for row, types, size in rows]


class Shares(NamedTuple):
    """Which share of the tokens is to be predicted, and what is read there instead.

    A random piece that happens to be the original counts as kept.
    """

    predicted: float
    mask: float
    random: float
    kept: float

    @classmethod
    def of(
        cls, read: NDArray[Any], labels: NDArray[Any], *, mask_id: int, candidates: int
    ) -> Shares:
        """Count what is read (K,) in place of `labels` (K,), out of so many candidates."""
        count = len(labels)
        mask, kept = (int(np.count_nonzero(read == what)) for what in (mask_id, labels))
        return cls(count / candidates, mask / count, (count - mask - kept) / count, kept / count)

    @classmethod
    def theirs(cls, batches: Sequence[Batch], *, special: SpecialIds) -> Shares:
        """Count in batches of the collator."""
        ids, labels = (
            np.concatenate([np.asarray(batch[name]).ravel() for batch in batches])
            for name in ("input_ids", "labels")
        )
        chosen = labels != IGNORED
        outside = (special.pad, special.cls, special.sep)
        candidates = int(np.isin(np.where(chosen, labels, ids), outside, invert=True).sum())
        return cls.of(ids[chosen], labels[chosen], mask_id=special.mask, candidates=candidates)

    @classmethod
    def ours(cls, batches: Sequence[MicroBatch], *, special: SpecialIds) -> Shares:
        """Count in batches of ours."""
        read, labels, candidates = [], [], 0
        for part in batches:
            masked, ids = part.targets.masked, part.inputs.token_ids.flatten()
            assert masked is not None
            outside = torch.tensor([special.pad, special.cls, special.sep])
            candidates += int(torch.isin(ids, outside, invert=True).sum())
            read.append(ids[masked.places].numpy())
            labels.append(masked.labels.numpy())
        return cls.of(
            np.concatenate(read),
            np.concatenate(labels),
            mask_id=special.mask,
            candidates=candidates,
        )
