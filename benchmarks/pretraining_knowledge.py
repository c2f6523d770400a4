"""What a graph costs pre-training: linking a corpus once, making batches, and whole steps.

The same texts are trained on without a graph, with facts to be read (`trunk`), with masked tails
(`tails`), and with entities as units but no facts (`entities`). In every round each makes, and then
trains on, its first batches, in turns; tokens are real ones, facts included. Batches are made in
the training's own process, so their time is part of a step's. Everything runs in one thread, and
seconds are the processor's, which do not depend on what else the machine does. Writes
`results/pretraining_knowledge.json`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.data import data_folder, part_of
from benchmarks.report import RESULTS, Spread, environment, ratios, table, write_result
from kbert import console
from kbert.nn import LanguageModel
from kbert.pretraining.build import build_corpus
from kbert.pretraining.held_out import split
from kbert.pretraining.knowledge import open_knowledge
from kbert.pretraining.objectives import Losses, PretrainingModel
from kbert.pretraining.parts import make_network, make_rows, make_sampler, make_weights
from kbert.pretraining.rows import MicroBatch
from kbert.pretraining.settings import PretrainSettings
from kbert.pretraining.shards import Corpus
from kbert.tokenizer import Tokenizer

PLAIN: Final = "no graph"
WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    PLAIN: {},
    "trunk": {"mask_where": "trunk"},
    "tails": {"mask_where": "tails"},
    "entities": {"unit": "entity", "max_facts": 0},
}
SIZES: Final[Mapping[str, Any]] = {"layers": 2, "width": 128, "heads": 2, "feed_forward": 512}


@dataclass
class Way:
    """One way to train, and the seconds it took in each round."""

    settings: PretrainSettings
    corpus: Corpus
    scratch: Path
    making: list[float] = field(default_factory=list)
    training: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Link the corpus, which takes its time, and make the parts."""
        settings, corpus = self.settings, self.corpus
        start = time.process_time()
        links = open_knowledge(settings, corpus, scratch=self.scratch).links
        self.linking = 0.0 if links is None else time.process_time() - start
        self.found = None if links is None else links.counts
        train, _ = split(
            sentences=corpus.sentences if links is None else links.sentences,
            documents=corpus.documents,
            share=settings.held_out,
            relation=settings.relation,
        )
        self._sampler = make_sampler(settings, train, settings.plan[0], number=0)
        self._make = make_rows(settings, corpus, number=0, links=links)
        self._epoch = self._sampler.epoch(0)
        network = make_network(settings, corpus, generator=torch.Generator().manual_seed(1))
        self._train = _Trainer(network, settings)

    def round(self, batches: int) -> None:
        """Make batches, then train on them."""
        start = time.process_time()
        self.batches = [
            self._sampler.micro_batch(self._epoch, number, make=self._make)
            for number in range(min(batches, len(self._epoch.batches)))
        ]
        made = time.process_time()
        for batch in self.batches:
            self._train(batch)
        self.making.append(made - start)
        self.training.append(time.process_time() - made)

    def figures(self) -> dict[str, Any]:
        """Tell what was done, and how fast."""
        tokens = sum(batch.tokens for batch in self.batches)
        steps = [one + other for one, other in zip(self.making, self.training, strict=True)]
        return {
            "tokens": tokens,
            "padding_share": 1 - tokens / sum(batch.slots for batch in self.batches),
            "targets": int(sum(batch.targets.counts()[0] for batch in self.batches)),
            "batch_tokens_per_second": Spread.of([tokens / each for each in self.making]),
            "step_tokens_per_second": Spread.of([tokens / each for each in steps]),
            "making_share_of_step": Spread.of(
                [one / other for one, other in zip(self.making, steps, strict=True)]
            ),
            "linking_seconds": self.linking,
            "linked_tokens_per_second": self.linking and self.corpus.counts.tokens / self.linking,
            "found": self.found,
        }


class _Trainer:
    """Takes steps of one micro-batch."""

    def __init__(self, network: LanguageModel, settings: PretrainSettings) -> None:
        self._model = PretrainingModel(network).train()
        self._weights = make_weights(settings)
        self._optimiser = torch.optim.AdamW(self._model.parameters(), lr=1e-4, fused=True)

    def __call__(self, batch: MicroBatch) -> None:
        self._optimiser.zero_grad()
        losses: Losses = self._model(batch.inputs, batch.targets)
        loss = losses.weighted(self._weights, counts=losses.counts)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()


def compare(ways: Mapping[str, Way], *, rounds: int, batches: int) -> dict[str, Any]:
    """Let the ways take turns, in rotating order, and return the figures of each.

    Of each but the first `step_speed_against_none` is its tokens a second over the first's.
    """
    for way in ways.values():
        way.round(1)
        way.making.clear()
        way.training.clear()
    names = list(ways)
    for number in range(rounds):
        shift = number % len(names)
        for name in (*names[shift:], *names[:shift]):
            ways[name].round(batches)
    found = {name: way.figures() for name, way in ways.items()}

    def paces(name: str) -> list[float]:
        seconds = zip(ways[name].making, ways[name].training, strict=True)
        return [found[name]["tokens"] / (one + other) for one, other in seconds]

    for name in names[1:]:
        found[name]["step_speed_against_none"] = ratios(paces(name), paces(names[0]))
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretraining_knowledge", description=__doc__
    )
    parser.add_argument(
        "--texts", default="text/zh/CLUECorpusSmall_bert_sampled.txt.gz", metavar="NAME",
        help="texts among the data sets, a file or folder",
    )  # fmt: skip
    parser.add_argument("--kg", default="kg/HowNet.spo", metavar="NAME", help="graph among them")
    for name, default, text in (
        ("length", 128, "longest sequence"),
        ("batch-tokens", 4096, "token slots of a batch"),
        ("batches", 4, "batches a round"),
        ("rounds", 3, "rounds"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} ({default})")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    return console.guard(lambda: _run(options, given))


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    data = data_folder()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    graph = part_of(data, options.kg)
    tokenizer = Tokenizer.from_vocab(part_of(data, "vocab/google_zh_vocab.txt"))
    with tempfile.TemporaryDirectory() as folder:
        corpus = build_corpus(
            [part_of(data, options.texts)], Path(folder) / "corpus", tokenizer=tokenizer,
            keep_text=True,
        )  # fmt: skip
        ways = {
            name: Way(
                PretrainSettings(
                    corpus=str(corpus.path), relation="none", batch_tokens=options.batch_tokens,
                    kg="none" if name == PLAIN else str(graph),
                    phases=(f"1x{options.length}",), **SIZES, **changes,
                ),
                corpus,
                Path(folder) / f"links-{name}",
            )
            for name, changes in WAYS.items()
        }  # fmt: skip
        found = compare(ways, rounds=options.rounds, batches=options.batches)
    content = {
        "environment": environment("pretraining_knowledge", given),
        "texts": options.texts,
        "graph": options.kg,
        "corpus": corpus.counts,
        "sizes": {**SIZES, "vocabulary": len(tokenizer)},
        "length": options.length,
        "ways": found,
    }
    write_result("pretraining_knowledge", content, folder=options.results)
    _print(found)


def _print(found: Mapping[str, Any]) -> None:
    rows = [("", "tokens/s of steps", "against none", "tokens/s of batches", "linked tokens/s")]
    for name, each in found.items():
        speed = each.get("step_speed_against_none")
        rows.append(
            (
                name,
                each["step_tokens_per_second"].text(",.0f"),
                "" if speed is None else speed.text(),
                each["batch_tokens_per_second"].text(",.0f"),
                f"{each['linked_tokens_per_second']:,.0f}" if each["linking_seconds"] else "",
            )
        )
    print(table(rows) + "\nwrote pretraining_knowledge.json")


if __name__ == "__main__":
    sys.exit(main())
