"""How fast triples become negatives, on one core, and how long a data set takes to load.

Negatives are filtered by the training triples, drawn five to a positive for batches of 1,024
positives in a new order. The peer is the way of KG-BERT's script: for each negative a list of all
other entities is made, one of them is chosen, and again if the triple is in train. Both run in
turn, and the ratio is of seconds for one negative. A load (triples, texts, checks) is compared with
reading and splitting the lines of train, dev and test and numbering what stands there. Seconds are
those of the processor, not of the clock, since other programs may share the core. Writes
`results/knowledge_data.json`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from benchmarks.data import data_folder, part_of
from benchmarks.report import RESULTS, Spread, environment, one_core, ratios, table, write_result
from kbert import console
from kgbert.data import KnowledgeData, load_data
from kgbert.negatives import Method, NegativeSampler

SETS: Final = ("UMLS", "WN18RR", "WN11", "FB15k-237", "FB13")
PER_POSITIVE: Final = 5
BATCH: Final = 1024


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds that the processor spends on one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def ours(sampler: NegativeSampler, *, negatives: int, epoch: int) -> float:
    """Return the seconds of one negative, over about `negatives` of them."""
    order = np.random.default_rng(epoch).integers(0, len(sampler), negatives // PER_POSITIVE)
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    spent = seconds(lambda: [sampler.sample(epoch, batch) for batch in batches])
    return spent / (len(order) * PER_POSITIVE)


def straightforward(data: KnowledgeData, *, negatives: int, seed: int) -> float:
    """Return the seconds of one negative where each makes a list of all other entities."""
    draw = random.Random(seed)
    positives = [tuple(triple) for triple in data.train.tolist()]
    known = set(positives)
    entities = list(range(len(data.entities)))

    def corrupt(triple: tuple[int, int, int]) -> tuple[int, int, int]:
        side = draw.choice((0, 2))
        while True:
            others = set(entities)
            others.remove(triple[side])
            made = list(triple)
            made[side] = draw.choice(list(others))
            if tuple(made) not in known:
                return made[0], made[1], made[2]

    chosen = [draw.choice(positives) for _ in range(negatives)]
    return seconds(lambda: [corrupt(triple) for triple in chosen]) / negatives


def plain_read(folder: Path) -> int:
    """Read the lines of train, dev and test and number what stands in them; return their number."""
    numbers: dict[str, int] = {}
    rows = []
    for part in ("train", "dev", "test"):
        with (folder / f"{part}.tsv").open(encoding="utf-8") as lines:
            for line in lines:
                cells = line.rstrip("\n").split("\t")[:3]
                rows.append([numbers.setdefault(cell, len(numbers)) for cell in cells])
    return len(np.array(rows))


def measure(folder: Path, *, rounds: int, quick: bool) -> dict[str, Any]:
    """Time loads and draws of one data set."""
    plain_read(folder)  # from here on the files are in memory
    plain = [seconds(lambda: plain_read(folder)) for _ in range(rounds)]
    loads = [seconds(lambda: load_data(folder)) for _ in range(rounds)]
    data = load_data(folder)
    result: dict[str, Any] = {
        "triples": len(data.train) + len(data.valid) + len(data.test),
        "entities": len(data.entities),
        "load_seconds": Spread.of(loads),
        "load_times_plain_reading": ratios(loads, plain),
    }
    known = data.filter("train")
    sizes = {"entities": len(data.entities), "relations": len(data.relations)}
    count = 20_000 if quick else 500_000
    for method in get_args(Method):
        start = time.process_time()
        sampler = NegativeSampler(
            data.train, per_positive=PER_POSITIVE, method=method, known=known, **sizes
        )
        made = time.process_time() - start
        fast, slow = [], []
        for number in range(rounds):
            fast.append(ours(sampler, negatives=count, epoch=number))
            if method == "uniform":
                slow.append(straightforward(data, negatives=30 if quick else 200, seed=number))
        rates = Spread.of([1 / each for each in fast])
        result[method] = {"set_up_seconds": made, "negatives_per_second": rates}
        if slow:
            result[method]["times_straightforward"] = ratios(slow, fast)
    return result


def _print(sets: dict[str, Any]) -> None:
    header = ("data set", "load, s", "times plain reading")
    rows = [(*header, *(f"{m}, 1,000/s" for m in get_args(Method)), "times straightforward")]
    for name, each in sets.items():
        rates = [
            f"{each[method]['negatives_per_second'].median / 1000:,.0f}"
            for method in get_args(Method)
        ]
        load = each["load_seconds"].text(), each["load_times_plain_reading"].text(".1f")
        rows.append((name, *load, *rates, each["uniform"]["times_straightforward"].text(",.0f")))
    print(table(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.knowledge_data", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements (default: 3)")
    parser.add_argument("--quick", action="store_true", help="UMLS alone, once: a trial")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)
    return console.guard(lambda: _run(options, given))


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    names, rounds = (SETS[:1], 1) if options.quick else (SETS, options.rounds)
    content: dict[str, Any] = {"environment": environment("knowledge_data", given), "sets": {}}
    with one_core():
        for name in names:
            folder = part_of(data_folder(), f"kgc/{name}")
            content["sets"][name] = measure(folder, rounds=rounds, quick=options.quick)
    _print(content["sets"])
    name = "knowledge_data-quick" if options.quick else "knowledge_data"
    print(f"wrote {write_result(name, content, folder=options.results).name}")


if __name__ == "__main__":
    sys.exit(main())
