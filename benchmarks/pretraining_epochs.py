"""What an epoch of pre-training holds, and what planning a large one takes."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
from typing import Any

import numpy as np

from benchmarks.pretraining_corpora import drawing
from kbert.pretraining.held_out import Part
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Epoch


def figures(epoch: Epoch, *, max_length: int) -> dict[str, Any]:
    """Say how many sequences an epoch has, what was cut to fit, and how full its rows are."""
    pairs, lengths = epoch.pairs, epoch.pairs.lengths
    rows = len(epoch.batches.rows)
    return {
        "sequences": len(pairs),
        "cut_share": pairs.cut_share,
        "filled_share": int(lengths.sum()) / (rows * max_length),
        "filled_share_unpacked": float(lengths.mean()) / max_length,
    }


def planning(corpus: Corpus, *, sequences: int) -> dict[str, Any]:
    """Measure planning a packed epoch of nsp, of a corpus repeated until it has so many sequences.

    Memory is what Python and numpy took for it: held by the plan, and at most in between.
    """
    once = drawing(
        corpus, relation="nsp", unit="piece", max_length=128, batch_tokens=16384, full=False
    ).sampler
    times = max(1, round(sequences / len(once.pairs(0))))
    sentences, documents = (
        _repeated(offsets, times) for offsets in (once.part.sentences, once.part.documents)
    )
    part = Part(sentences, documents, np.zeros(len(sentences) - 1, dtype=np.int64))
    sampler = dataclasses.replace(once, part=part)
    start = time.process_time()
    count = len(sampler.epoch(0).pairs)
    seconds = time.process_time() - start
    tracemalloc.start()
    epoch = sampler.epoch(0)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "sequences": count,
        "microseconds_per_sequence": 1e6 * seconds / count,
        "bytes_per_sequence": held / len(epoch.pairs),
        "peak_bytes_per_sequence": peak / len(epoch.pairs),
    }


def _repeated(offsets: Any, times: int) -> Any:
    """Lay runs (N + 1,) end to end so many times."""
    ends = offsets[1:] + offsets[-1] * np.arange(times)[:, None]
    return np.concatenate([offsets[:1], ends.ravel()])
