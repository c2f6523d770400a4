"""How long exact filtered ranking takes, against the original's way, a step at a time.

Every way ranks the same true answers among the same candidates with the same weights: ranks are
compared, and a row counts as different if its better or equal candidates are not as many. Ways are
timed one after the other, once each, since the slow ones take long; on one CPU thread seconds are
those of the processor. On a CPU the network is all-MiniLM-L6-v2 (6 layers, 384 wide) with a drawn
head, or that of a run that is given; on a GPU it has the size of BERT-base and drawn weights. All
ways rank some queries of UMLS, drawn by chance, and a slice of WN18RR (some test triples among
some of the entities; on a GPU among all). Ours then rank UMLS whole in both precisions. What the
full test sets would take on a GPU is estimated from operations and an assumed share of the peak,
and from the measured rate where a GPU is measured. Writes `results/ranking_speed.json`, or
`results/ranking_speed_cuda.json` with `--device cuda`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.data import data_folder, part_of
from benchmarks.experiments import minilm
from benchmarks.ranking_estimates import GPU, PEAK, estimates, estimates_table, throughput
from benchmarks.ranking_measure import measure
from benchmarks.ranking_settings import (
    Setting,
    drawn_network,
    headed_network,
    laid_out,
    sliced,
)
from benchmarks.report import RESULTS, environment, table, write_result
from benchmarks.training import clock_name
from kbert import console
from kbert.errors import SettingsError
from kbert.nn.config import EncoderConfig
from kbert.tokenizer import Tokenizer
from kgbert.data import load_data
from kgbert.network import TripleNetwork
from kgbert.texts import TextMode

DRAWN: Final = {"layers": 12, "width": 768, "heads": 12, "feed_forward": 3072}
TINY: Final = {"layers": 1, "width": 32, "heads": 2, "feed_forward": 64}
# Name, texts, longest input, the original's batch; the original's settings (its README).
SETS: Final[dict[str, tuple[TextMode, int, int]]] = {
    "UMLS": ("name", 15, 135),
    "WN18RR": ("both", 50, 5000),
}


def _network(options: argparse.Namespace) -> tuple[TripleNetwork, Tokenizer]:
    """Give what is ranked with, and the tokeniser that belongs to it."""
    if options.run is not None:
        return TripleNetwork.from_pretrained(options.run), Tokenizer.from_pretrained(options.run)
    if options.quick or options.device == "cuda":
        vocabulary = part_of(data_folder(), "vocab/google_uncased_en_vocab.txt")
        tokenizer = Tokenizer.from_vocab(vocabulary)
        sizes = TINY if options.quick else DRAWN
        config = EncoderConfig(vocab_size=len(tokenizer), pad_id=tokenizer.pad_id, **sizes)
        return drawn_network(config), tokenizer
    return headed_network(minilm()), Tokenizer.from_pretrained(minilm())


def _setting(
    name: str, options: argparse.Namespace, network: TripleNetwork, tokenizer: Tokenizer
) -> Setting:
    texts, max_length, batch = SETS[name]
    data = load_data(part_of(data_folder(), f"kgc/{name}"), texts=texts)
    if name != "UMLS":
        data = sliced(data, triples=options.triples, entities=options.entities)
    return Setting(
        data=replace(data, name=name),
        tokenizer=tokenizer,
        network=network.to(options.device),
        sequences=laid_out(data, tokenizer, max_length=max_length),
        batch=batch,
        batch_tokens=options.batch_tokens,
        device=options.device,
        queries=options.queries if name == "UMLS" else 10**9,
    )


def _print(name: str, result: Mapping[str, Any]) -> None:
    columns = "seconds", "times the original", "times the step before", "inputs", "GFLOP", "again"
    whole = result.get("whole")
    for title, part in (("", result), (" whole", whole)):
        if part is None:
            continue
        rows = [(f"{name}{title}, {part['ranks']:,} ranks", *columns, "other ranks")]
        for way, each in part["ways"].items():
            rows.append(
                (
                    way,
                    f"{each['seconds']:.2f}",
                    f"{each['times_original']:.2f}",
                    f"{each['times_step_before']:.2f}",
                    f"{each['inputs']:,}",
                    f"{each['flops'] / 1e9:,.1f}",
                    f"{each['again']:,}",
                    str(each["different_ranks"]),
                )
            )
        print(table(rows) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking_speed", description=__doc__)
    parser.add_argument("--run", metavar="FOLDER", help="a run of kgbert.train for triples")
    for name, text in (
        ("queries", "queries of UMLS that are ranked in every way (128, on a GPU all)"),
        ("triples", "test triples of WN18RR (4)"),
        ("entities", "entities of WN18RR (500, on a GPU all)"),
        ("batch_tokens", "token slots of a batch of ours (4096, on a GPU 131072)"),
        ("threads", "CPU threads (1)"),
    ):
        parser.add_argument("--" + name.replace("_", "-"), type=int, help=text)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="a trial: few queries, tiny encoder")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return parser


def _filled(options: argparse.Namespace) -> argparse.Namespace:
    """Put what the device has by default where nothing was said."""
    on_gpu = options.device == "cuda"
    values = {"triples": 4, "threads": 1, "queries": 10**9 if on_gpu else 128}
    values |= {"entities": 10**9 if on_gpu else 500, "batch_tokens": 131072 if on_gpu else 4096}
    if options.quick:
        values |= {"queries": 8, "triples": 2, "entities": 60}
    for name, value in values.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _throughput(setting: Setting, content: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the rate, and say how long the whole test sets take at it."""
    found: dict[str, Any] = dict(throughput(setting, seconds=20.0))
    whole = content["estimates"]["sets"] if "estimates" in content else {}
    found["hours_at_this_rate"] = {
        title: each["flops"] / found["flops_per_second"] / 3600 for title, each in whole.items()
    }
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _filled(_parser().parse_args(given))
    return console.guard(lambda: _run(options, given))


def _told(given: Sequence[str]) -> list[str]:
    """Leave paths of this machine out of the command."""
    return [Path(part).name if "/" in part else part for part in given]


def _weights(options: argparse.Namespace) -> str:
    if options.run is not None:
        return "of a run"
    if options.quick or options.device == "cuda":
        return "drawn"
    return "all-MiniLM-L6-v2, with a drawn head"


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda: this machine has no GPU that torch can use")
    torch.set_num_threads(options.threads)
    folder = data_folder()
    network, tokenizer = _network(options)
    config = network.encoder.config
    name = "ranking_speed" + ("_cuda" if options.device == "cuda" else "")
    name += "-quick" if options.quick else ""
    content: dict[str, Any] = {
        "environment": environment("ranking_speed", _told(given)),
        "device": options.device,
        "clock": clock_name(options.device),
        "weights": _weights(options),
        "sizes": {key: getattr(config, key) for key in DRAWN},
        "batch_tokens": options.batch_tokens,
        "sets": {},
    }
    for title in SETS:
        setting = _setting(title, options, network, tokenizer)
        content["sets"][title] = measure(setting)
        _print(title, content["sets"][title])
        write_result(name, content, folder=options.results)
    if not options.quick:
        content["estimates"] = {
            "gpu": GPU,
            "peak_flops": PEAK,
            "sets": estimates(folder / "kgc", tokenizer),
        }
        print(estimates_table(content["estimates"]["sets"]) + "\n")
    if options.device == "cuda":
        content["throughput"] = _throughput(setting, content)
    print(f"wrote {write_result(name, content, folder=options.results).name}")


if __name__ == "__main__":
    sys.exit(main())
