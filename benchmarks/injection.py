"""How fast raw text becomes finished sentence trees, on one core, and where the time goes.

The headline is the first pass over fresh text: graph, index and vocabulary are loaded, nothing is
remembered. It is compared, chunk by chunk in the same run, with the straightforward way
(`benchmarks.naive`), and beside that with a figure of the original that is quoted, not measured.
Stages are timed alone over the same texts; what they leave of the whole (mentions to tokens,
budgets, laying out the trunk) is the rest. Writes `results/injection.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.data import data_folder, labelled_texts, part_of
from benchmarks.naive import NaiveInjector, facts_of, read_vocabulary
from benchmarks.report import RESULTS, Spread, environment, one_core, ratios, table, write_result
from benchmarks.stages import stages_beside, stages_inside, timed
from graphs import MentionIndex, TripleStore
from kbert import console
from kbert.inject import Injector
from kbert.tokenizer import Tokenizer

QUOTED: Final = {
    "sentences_per_second": 460,
    "measured_in_this_run": False,
    "what": "the original K-BERT on one such core, HowNet, as the project's requirements quote it",
}
CORPORA: Final = ("chnsenticorp", "book_review")


@dataclass(frozen=True)
class Bench:
    """What is loaded before the clock starts."""

    store: TripleStore
    index: MentionIndex
    vocab: Path
    naive: NaiveInjector

    @classmethod
    def load(cls, graph: Path, vocab: Path) -> tuple[Bench, dict[str, float]]:
        """Load everything; return the seconds of each part beside it."""
        start = time.perf_counter()
        store = TripleStore.open(graph, name=graph.stem)
        loaded = time.perf_counter()
        index = MentionIndex(store)
        indexed = time.perf_counter()
        Tokenizer.from_vocab(vocab)
        tokenizer = time.perf_counter()
        bench = cls(store, index, vocab, NaiveInjector(facts_of(store), read_vocabulary(vocab)))
        bench.injector()("预热")  # tables that are made at first use, once a process
        return bench, {
            "graph": loaded - start,
            "index": indexed - loaded,
            "tokenizer": tokenizer - indexed,
        }

    def injector(self) -> Injector:
        """Make an injector that remembers nothing yet, neither facts nor words."""
        return Injector(self.store, Tokenizer.from_vocab(self.vocab), index=self.index)


@dataclass(frozen=True)
class Rounds:
    """Seconds of every chunk (first, naive, again) or of every round (stages, beside)."""

    first: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    beside: dict[str, list[float]] = field(default_factory=dict)


def measure(bench: Bench, texts: Sequence[str], *, rounds: int, chunk: int) -> dict[str, Any]:
    """Time all passes over `texts` and summarise them; `chunk` texts alternate at a time."""
    seconds = Rounds()
    for _ in range(rounds):
        _passes(bench, texts, chunk=chunk, into=seconds)
        trees = list(map(bench.injector(), texts))
        inside = stages_inside(
            texts, trees, store=bench.store, index=bench.index, vocab=bench.vocab
        )
        _add(seconds.stages, inside)
        _add(seconds.beside, stages_beside(trees))
    return _summary(seconds, sample=_sample(bench, texts), count=len(texts), rounds=rounds)


def _passes(bench: Bench, texts: Sequence[str], *, chunk: int, into: Rounds) -> None:
    inject = bench.injector()
    chunks = [texts[start : start + chunk] for start in range(0, len(texts), chunk)]
    for number, part in enumerate(chunks):
        pair: list[tuple[list[float], Callable[[str], object]]] = [
            (into.first, inject),
            (into.naive, bench.naive),
        ]
        for target, build in pair if number % 2 == 0 else reversed(pair):
            target.append(timed(build, part))
    into.again.extend(timed(inject, part) for part in chunks)


def _sample(bench: Bench, texts: Sequence[str]) -> dict[str, float]:
    trees = list(map(bench.injector(), texts))
    return {
        "characters_per_sentence": sum(map(len, texts)) / len(texts),
        "tokens_per_sentence": sum(map(len, trees)) / len(texts),
        "mentions_with_facts_per_sentence": sum(len(t.nodes) for t in trees) / len(texts),
        "facts_per_sentence": sum(len(n.branches) for t in trees for n in t.nodes) / len(texts),
        "cut_sentences": sum(tree.cut > 0 for tree in trees),
    }


def _add(lists: dict[str, list[float]], seconds: dict[str, float]) -> None:
    for name, value in seconds.items():
        lists.setdefault(name, []).append(value)


def _summary(
    seconds: Rounds, *, sample: dict[str, float], count: int, rounds: int
) -> dict[str, Any]:
    def rates(chunks: list[float]) -> Spread:
        each = len(chunks) // rounds
        return Spread.of([count / sum(chunks[i * each : (i + 1) * each]) for i in range(rounds)])

    def micro(parts: dict[str, list[float]]) -> dict[str, float]:
        return {name: 1e6 * Spread.of(times).median / count for name, times in parts.items()}

    first, stages = rates(seconds.first), micro(seconds.stages)
    stages["the rest"] = 1e6 / first.median - sum(stages.values())
    return {
        "sentences": count,
        "rounds": rounds,
        "corpus": sample,
        "sentences_per_second": {
            "first pass": first,
            "later pass": rates(seconds.again),
            "naive": rates(seconds.naive),
        },
        "times_naive": ratios(seconds.naive, seconds.first),
        "times_quoted_original": first.median / float(str(QUOTED["sentences_per_second"])),
        "microseconds_per_sentence": stages,
        "microseconds_beside": micro(seconds.beside),
    }


def _print(name: str, result: dict[str, Any]) -> None:
    rates = result["sentences_per_second"]
    print(f"\n{name}: {result['sentences']} sentences, {result['rounds']} rounds")
    rows = [("sentences per second", "median (range over rounds)")]
    rows += [(what, rate.text(".0f")) for what, rate in rates.items()]
    rows.append(("the original (quoted)", str(QUOTED["sentences_per_second"])))
    print(table(rows))
    print(f"times naive, by chunk: {result['times_naive'].text('.1f')}")
    print(f"times the quoted original: {result['times_quoted_original']:.1f}")
    stages = result["microseconds_per_sentence"]
    rows = [("first pass", "µs per sentence"), *((k, f"{v:.1f}") for k, v in stages.items())]
    rows += [("sum", f"{sum(stages.values()):.1f}")]
    rows += [(f"({k})", f"{v:.1f}") for k, v in result["microseconds_beside"].items()]
    print(table(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.injection", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="passes (default: 3)")
    parser.add_argument("--quick", action="store_true", help="200 sentences, one pass: a trial")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return console.guard(lambda: _run(options, given))


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    data = data_folder()
    graph, vocab = part_of(data, "kg/HowNet.spo"), part_of(data, "vocab/google_zh_vocab.txt")
    rounds, limit, chunk = (1, 200, 50) if options.quick else (options.rounds, None, 1000)
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with one_core():
            bench, load = Bench.load(graph, vocab)
            content: dict[str, Any] = {"environment": environment("injection", given)}
            content |= {"load_seconds": load, "original_quoted": QUOTED, "corpora": {}}
            for name in CORPORA:
                examples = labelled_texts(part_of(data, f"zh/{name}"))[:limit]
                texts = [example.text for example in examples]
                result = measure(bench, texts, rounds=rounds, chunk=chunk)
                content["corpora"][name] = result
                _print(name, result)
    finally:
        torch.set_num_threads(threads)
    print("\nloading, seconds: " + ", ".join(f"{k} {v:.3f}" for k, v in load.items()))
    name = "injection-quick" if options.quick else "injection"
    print(f"wrote {write_result(name, content, folder=options.results).name}")


if __name__ == "__main__":
    sys.exit(main())
