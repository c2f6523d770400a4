"""How many real tokens a second fine-tuning trains on, against the original's way of padding.

A step is forward, backward, clipping and AdamW, from encoded sentences in memory. Ours plans
batches of like length under a token budget, as `kbert.train` does; the peers (see
`benchmarks.contenders`) are transformers' BERT with 32 sentences padded to 256. Same sizes,
starting weights, precision, optimiser and dropout. In every round each trains on the same
sentences, in turns. Padding never counts as a token; injected facts do. Writes
`results/finetune_step.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.contenders import OURS, Contender, contenders
from benchmarks.data import data_folder, labelled_texts, part_of
from benchmarks.report import RESULTS, Spread, environment, ratios, table, write_result
from benchmarks.training import Trainer, clock_name, in_turns
from graphs import TripleStore
from kbert import console
from kbert.batch import plan_batches
from kbert.errors import SettingsError
from kbert.inject import Injector
from kbert.nn import Classifier, Encoder, EncoderConfig
from kbert.tokenizer import Tokenizer

LENGTH: Final = 256
PRECISIONS: Final = ("fp32", "bf16")
SIZES: Final = {"layers": 4, "width": 256, "heads": 4, "feed_forward": 1024}
QUICK: Final = {"layers": 1, "width": 32, "heads": 2, "feed_forward": 64, "sentences": 16}


def prepare(
    texts: Sequence[str],
    store: TripleStore,
    *,
    tokenizer: Tokenizer,
    sizes: Mapping[str, int],
    batch_tokens: int,
    sentences: int,
    device: str,
) -> tuple[list[Contender], list[int]]:
    """Draw sentences, inject facts, and make the ways to train a fresh encoder of these sizes.

    What is drawn is whole batches of the plan for all texts, as an epoch has them: evenly spaced
    ones among those sorted by length, about so many sentences. Their places are returned as well.
    """
    inject = Injector(store, tokenizer, max_length=LENGTH)
    bare = Injector(store, tokenizer, max_length=LENGTH, max_facts=0)
    config = EncoderConfig(vocab_size=len(tokenizer), pad_id=tokenizer.pad_id, **sizes)
    generator = torch.Generator().manual_seed(1)
    network = Classifier(Encoder(config, generator=generator), 2, generator=generator)
    trees = list(map(inject, texts))
    batches = plan_batches(list(map(len, trees)), max_tokens=batch_tokens, seed=1)
    batches.sort(key=lambda batch: max(len(trees[i]) for i in batch))
    count = max(1, round(len(batches) * min(1.0, sentences / len(texts))))
    chosen = [batches[(2 * i + 1) * len(batches) // (2 * count)] for i in range(count)]
    drawn = [i for batch in chosen for i in batch]
    ends = list(accumulate(map(len, chosen)))
    plan = [tuple(range(end - len(batch), end)) for batch, end in zip(chosen, ends, strict=True)]
    ways = contenders(
        network.to(device),
        [trees[i] for i in drawn],
        [bare(texts[i]) for i in drawn],
        plan=plan,
        length=LENGTH,
        pad_id=tokenizer.pad_id,
    )
    return ways, drawn


def trainer(way: Contender, labels: Tensor, *, precision: str) -> Trainer[tuple[int, ...]]:
    """Make what trains one contender in one precision."""

    def loss(network: nn.Module, rows: tuple[int, ...]) -> Tensor:
        return cross_entropy(way.logits(network, rows).float(), labels[list(rows)])

    return Trainer(way.network, way.steps, loss, precision=precision)


def measure(
    ways: Sequence[Contender], labels: Tensor, *, precision: str, rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each round for each way; they take turns, in rotating order."""
    trainers = {way.name: trainer(way, labels, precision=precision) for way in ways}
    return in_turns(trainers, rounds=rounds, warm_up=2)


def summary(ways: Sequence[Contender], seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Turn seconds into rates, and into ratios of real tokens a second, round by round."""
    rates = {way.name: [way.tokens / took for took in seconds[way.name]] for way in ways}
    sentences = sum(map(len, ways[0].steps))
    return {
        "tokens_per_second": {name: Spread.of(values) for name, values in rates.items()},
        "sentences_per_second": {
            way.name: Spread.of([sentences / took for took in seconds[way.name]]) for way in ways
        },
        "times": {name: ratios(rates[OURS], rates[name]) for name in rates if name != OURS},
    }


def _print(precision: str, result: Mapping[str, Any], ways: Sequence[Contender]) -> None:
    rows = [(precision, "real tokens/s", "sentences/s", "padding", "ours is faster by")]
    for way in ways:
        times = result["times"].get(way.name)
        rows.append(
            (
                way.name,
                result["tokens_per_second"][way.name].text(".0f"),
                result["sentences_per_second"][way.name].text(".1f"),
                f"{way.padding_share:.1%}",
                "" if times is None else times.text(),
            )
        )
    print(table(rows) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune_step", description=__doc__)
    for name, default, text in (
        *((name, default, "size of the encoder") for name, default in SIZES.items()),
        ("batch_tokens", 2048, "token slots of a batch of ours"),
        ("sentences", 256, "sentences a round, about"),
        ("rounds", 5, "rounds"),
        ("threads", torch.get_num_threads(), "CPU threads"),
    ):
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=int, default=default, help=f"{text} ({default})")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="a trial: tiny sizes, one round")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    if options.quick:
        vars(options).update(QUICK, rounds=1, batch_tokens=1024)
    return console.guard(lambda: _run(options, given))


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda: this machine has no GPU that torch can use")
    data = data_folder()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    examples = labelled_texts(part_of(data, "zh/chnsenticorp"))
    tokenizer = Tokenizer.from_vocab(part_of(data, "vocab/google_zh_vocab.txt"))
    sizes = {name: getattr(options, name) for name in SIZES}
    ways, drawn = prepare(
        [example.text for example in examples],
        TripleStore.open(part_of(data, "kg/HowNet.spo"), name="HowNet"),
        tokenizer=tokenizer,
        sizes=sizes,
        batch_tokens=options.batch_tokens,
        sentences=options.sentences,
        device=options.device,
    )
    found = [int(examples[i].label == "1") for i in drawn]
    labels = torch.tensor(found, device=options.device)
    content: dict[str, Any] = {
        "environment": environment("finetune_step", given),
        "device": options.device,
        "clock": clock_name(options.device),
        "sizes": {**sizes, "vocabulary": len(tokenizer)},
        "parameters": sum(p.numel() for p in ways[0].network.parameters()),
        "sentences": len(drawn),
        "rounds": options.rounds,
        "batch_tokens": options.batch_tokens,
        "ways": {way.name: _shape(way) for way in ways},
        "precisions": {},
    }
    name = "finetune_step-quick" if options.quick else "finetune_step"
    for precision in PRECISIONS:
        seconds = measure(ways, labels, precision=precision, rounds=options.rounds)
        content["precisions"][precision] = summary(ways, seconds)
        _print(precision, content["precisions"][precision], ways)
        write_result(name, content, folder=options.results)
    print(f"wrote {name}.json")


def _shape(way: Contender) -> dict[str, Any]:
    return {
        "real_tokens": way.tokens,
        "token_slots": way.slots,
        "padding_share": way.padding_share,
        "steps": len(way.steps),
    }


if __name__ == "__main__":
    sys.exit(main())
