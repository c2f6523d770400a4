"""How many tokens a second become batches that are ready for the encoder, on one core.

From a tokenised corpus on disk: pairs are drawn, packed, read, corrupted and laid out as tensors.
Planning the epoch is counted too, each token with its share of it. The peer is the data collator
of transformers on the same sequences, fed one by one from the same corpus, with the same 15 % and
80/10/10 of pieces; it has no such shares for words, and no spans. The two take turns. Padding never
counts as a token. Seconds are those of the processor for this process, which is kept on one core,
so that what else runs on the machine counts little. Writes `results/pretraining_data.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from benchmarks.pretraining_collator import Batch, Collator, Shares, check_same
from benchmarks.pretraining_corpora import UNITS, Drawing, corpora, drawing
from benchmarks.pretraining_epochs import figures, planning
from benchmarks.pretraining_tables import OURS, data_table
from benchmarks.report import RESULTS, Spread, environment, one_core, ratios, write_result
from kbert import console
from kbert.pretraining.shards import Corpus
from kbert.pretraining.steps import Epoch

KINDS: Final = ("pt", "np")  # of arrays that the collator can make
RELATIONS: Final = ("none", "nsp")
LENGTHS: Final = (128, 512)
_PEER_SHARE: Final = 8  # the peer makes one batch where we make so many; it is slower


class Cell(NamedTuple):
    """One thing to measure."""

    corpus: str
    relation: str
    max_length: int
    unit: str


class Taken(NamedTuple):
    """So many tokens took so many seconds."""

    tokens: int
    seconds: float

    def rate(self, *also: Taken) -> float:
        """Tokens a second, where each token goes through the others as well."""
        return 1 / sum(each.seconds / each.tokens for each in (self, *also))


def make_batches(draw: Drawing, *, number: int, batches: int) -> tuple[Taken, Taken, Epoch]:
    """Plan epoch `number` and make the first of its batches; return what each took."""
    start = time.process_time()
    epoch = draw.sampler.epoch(number)
    planned = time.process_time()
    count = min(batches, len(epoch.batches))
    tokens = sum(
        draw.sampler.micro_batch(epoch, index, make=draw.make).tokens for index in range(count)
    )
    made = time.process_time() - planned
    return Taken(int(epoch.pairs.lengths.sum()), planned - start), Taken(tokens, made), epoch


def collate_batches(
    peer: Collator, epoch: Epoch, *, size: int, batches: int
) -> tuple[Taken, Taken, list[Batch]]:
    """Let the collator make batches of `size` random sequences; what reading and masking took."""
    order = np.random.default_rng(epoch.number).permutation(len(epoch.pairs))
    reading = masking = 0.0
    tokens, made = 0, []
    for begin in range(0, min(len(order), batches * size), size):
        start = time.process_time()
        examples = peer.examples(epoch.pairs, order[begin : begin + size].tolist())
        read = time.process_time()
        made.append(peer.collate(examples))
        masking += time.process_time() - read
        reading += read - start
        tokens += sum(len(example["input_ids"]) for example in examples)
    return Taken(tokens, reading), Taken(tokens, masking), made


def measure(
    cell: Cell, corpus: Corpus, *, batch_tokens: int, batches: int, rounds: int
) -> dict[str, Any]:
    """Measure one cell, round by round; the peer takes part where it can do the same."""
    draw = drawing(
        corpus,
        relation=cell.relation,
        unit=cell.unit,
        max_length=cell.max_length,
        batch_tokens=batch_tokens,
        full=False,
    )
    peers = {kind: Collator(corpus, kind=kind) for kind in KINDS if cell.unit == "piece"}
    size, few = max(1, batch_tokens // cell.max_length), max(1, batches // _PEER_SHARE)
    _, _, epoch = make_batches(draw, number=0, batches=2)
    result: dict[str, Any] = {**cell._asdict(), **figures(epoch, max_length=cell.max_length)}
    if peers:
        result["shares"] = compare(draw, epoch, list(peers.values()), size=size)
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        plan, rows, epoch = make_batches(draw, number=number, batches=batches)
        rates.setdefault(OURS, []).append(rows.rate(plan))
        rates.setdefault("ours, the plan made", []).append(rows.rate())
        for kind, peer in peers.items():
            read, masked, _ = collate_batches(peer, epoch, size=size, batches=few)
            rates.setdefault(f"transformers, {kind}", []).append(masked.rate(read))
            rates.setdefault(f"transformers, {kind}, examples made", []).append(masked.rate())
    return result | {
        "tokens_per_second": {name: Spread.of(values) for name, values in rates.items()},
        "times": {
            name: ratios(rates[OURS], values)
            for name, values in rates.items()
            if name.startswith("transformers")
        },
    }


def compare(
    draw: Drawing, epoch: Epoch, peers: Sequence[Collator], *, size: int
) -> dict[str, Shares]:
    """Check that all make the same sequences, and say what each predicts and replaces.

    Raises `RuntimeError` where a peer's sequences differ from ours.
    """
    numbers = range(min(size, len(epoch.pairs)))
    length = int(epoch.pairs.take(numbers).lengths.max())
    ours = draw.make(epoch.pairs, [(n,) for n in numbers], epoch=epoch.number, length=length)
    special, found = draw.make.corpus.special, []
    for peer in peers:
        made = peer.collate(peer.examples(epoch.pairs, numbers))
        check_same(made, ours)
        found.append(made)
        found += collate_batches(peer, epoch, size=size, batches=4)[2]
    return {
        OURS: Shares.ours([ours], special=special),
        "transformers": Shares.theirs(found, special=special),
    }


def cells(names: Sequence[str], *, quick: bool) -> list[Cell]:
    """List what is measured."""
    lengths = LENGTHS[:1] if quick else LENGTHS
    return [Cell(*each) for each in product(names, RELATIONS, lengths, UNITS)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretraining_data", description=__doc__
    )
    for name, default, text in (
        ("batch_tokens", 16384, "token slots of a batch"),
        ("batches", 64, "batches of ours a round, the peer an eighth of them"),
        ("rounds", 5, "rounds"),
        ("sequences", 1_000_000, "sequences of the epoch whose plan is measured"),
    ):
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=int, default=default, help=f"{text} ({default})")
    parser.add_argument(
        "--corpus",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a corpus of kbert.corpus build, in place of those built from text/zh and text/en",
    )
    parser.add_argument("--quick", action="store_true", help="a trial: a small corpus, one round")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    if options.quick:
        vars(options).update(rounds=1, batches=8, batch_tokens=4096, sequences=1)
    return console.guard(lambda: _run(options, given))


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    threads = torch.get_num_threads()
    with corpora(options.corpus, quick=options.quick) as found, one_core():
        torch.set_num_threads(1)
        try:
            _measure_all(found, options, given)
        finally:
            torch.set_num_threads(threads)


def _measure_all(
    found: Mapping[str, Corpus], options: argparse.Namespace, given: Sequence[str]
) -> None:
    """Measure cell by cell; the result file is written anew after each."""
    name = "pretraining_data-quick" if options.quick else "pretraining_data"
    content: dict[str, Any] = {
        "environment": environment("pretraining_data", given),
        "corpora": {key: corpus.counts._asdict() for key, corpus in found.items()},
        "batch_tokens": options.batch_tokens,
        "rounds": options.rounds,
        "clock": "processor time",
        "cells": [],
    }
    for cell in cells(list(found), quick=options.quick):
        content["cells"].append(
            measure(
                cell,
                found[cell.corpus],
                batch_tokens=options.batch_tokens,
                batches=options.batches,
                rounds=options.rounds,
            )
        )
        write_result(name, content, folder=options.results)
    first = next(iter(found.values()))
    content["planning"] = planning(first, sequences=options.sequences)
    file = write_result(name, content, folder=options.results)
    print(f"{data_table(json.loads(file.read_bytes()))}\nwrote {file.name}")


if __name__ == "__main__":
    sys.exit(main())
