"""How many real tokens a second pre-training trains on, against transformers at equal sizes.

A step is forward, backward, clipping and AdamW, from masked batches in memory. What is compared
stands in `benchmarks.pretraining_contenders`: the same sequences, masks, starting weights, dropout
and optimiser, and the same losses, which is checked before anything is timed. The ways take turns.
Padding never counts as a token. On a GPU all is compiled and in bf16, and the share of the device's
peak is told (MFU, counted as in `kbert.pretraining.flops`, for both alike). Cells are measured one
by one, and the result file is written after each; one that fails is recorded as such, and none
begins after `--minutes`. Writes `results/pretraining_step.json`, on a GPU
`results/pretraining_step_cuda.json`.
"""

from __future__ import annotations

import argparse
import copy
import gc
import itertools
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.pretraining_cells import Cell, cells
from benchmarks.pretraining_contenders import Contender, Mismatch, contenders, draw_steps
from benchmarks.pretraining_corpora import corpora, drawing
from benchmarks.pretraining_tables import OURS, PEER, step_tables
from benchmarks.report import RESULTS, Spread, environment, ratios, write_result
from benchmarks.training import Trainer, clock_name, in_turns
from graphs.errors import GraphError
from kbert import console
from kbert.errors import SettingsError
from kbert.nn import EncoderConfig
from kbert.pretraining.flops import known_peak, training_flops
from kbert.pretraining.shards import Corpus

Key = tuple[str, str]  # a contender and a precision


def measure(cell: Cell, corpus: Corpus, *, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one cell. Raises `Mismatch` if the ways do not compute the same."""
    config = EncoderConfig(
        vocab_size=corpus.vocab_size,
        max_positions=512,
        dropout=cell.dropout,
        attention_dropout=cell.dropout,
        pad_id=corpus.special.pad,
        **cell.sizes,
    )
    draw = drawing(
        corpus,
        relation=cell.relation,
        unit="piece",
        max_length=cell.max_length,
        batch_tokens=cell.batch_tokens,
        full=cell.compile is not None,
    )
    padded, packed = draw_steps(draw, batches=cell.batches, seed=1)
    ways = contenders(config, padded, packed, names=cell.ways, device=options.device)
    if cell.compile is not None:
        ways = [way.of_one_shape() for way in ways]
    trainers: dict[Key, Trainer[Any]] = {}
    for precision, way in itertools.product(cell.precisions, ways):
        own = replace(way, network=copy.deepcopy(way.network))
        if cell.compile is not None:
            own.compile(cell.compile)
        trainers[way.name, precision] = Trainer(
            own.network, own.steps, own.loss, precision=precision
        )
    seconds = in_turns(trainers, rounds=options.rounds, warm_up=2 if cell.compile else 1)
    return summary(ways, seconds, config=config, peak=_peak(options))


def summary(
    ways: Sequence[Contender],
    seconds: Mapping[Key, Sequence[float]],
    *,
    config: EncoderConfig,
    peak: float | None,
) -> dict[str, Any]:
    """Turn seconds into rates of real tokens, ratios round by round, and shares of the peak."""
    by_name = {way.name: way for way in ways}
    rates = {key: [by_name[key[0]].tokens / each for each in took] for key, took in seconds.items()}
    found: dict[str, Any] = {
        "parameters": sum(weight.numel() for weight in ways[-1].network.parameters()),
        "ways": {way.name: shape(way) for way in ways},
        "measured": {},
    }
    for precision in dict.fromkeys(precision for _, precision in seconds):
        own = {name: values for (name, kind), values in rates.items() if kind == precision}
        found["measured"][precision] = {
            "tokens_per_second": {name: Spread.of(values) for name, values in own.items()},
            "times_transformers": {
                name: ratios(values, own[PEER]) for name, values in own.items() if name != PEER
            },
        }
        if peak is not None and precision == "bf16":
            needed = {way.name: flops(way, config) / way.tokens for way in ways}
            found["measured"][precision]["mfu"] = {
                name: Spread.of([rate * needed[name] / peak for rate in values])
                for name, values in own.items()
            }
    if {(OURS, "fp32"), (OURS, "bf16")} <= rates.keys():
        found["bf16_times_fp32"] = {
            way.name: ratios(rates[way.name, "bf16"], rates[way.name, "fp32"]) for way in ways
        }
    return found


def shape(way: Contender) -> dict[str, Any]:
    """Say how much a round of one way is."""
    return {
        "real_tokens": way.tokens,
        "token_slots": way.slots,
        "padding_share": 1.0 - way.tokens / way.slots,
        "steps": len(way.steps),
    }


def flops(way: Contender, config: EncoderConfig) -> float:
    """Count the arithmetic that a round needs, whatever a way does beside it."""
    return training_flops(
        config,
        tokens=way.tokens,
        squares=sum(step.squares for step in way.steps),
        decoded=sum(int(step.targets.counts()[0]) for step in way.steps),
    )


def _peak(options: argparse.Namespace) -> float | None:
    if options.peak_tflops is not None:
        return float(options.peak_tflops) * 1e12
    if options.device != "cuda":
        return None
    return known_peak(torch.cuda.get_device_name(), precision="bf16")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretraining_step", description=__doc__
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads (all)"
    )
    parser.add_argument(
        "--minutes", type=float, default=7.5, help="no cell begins later than this (7.5)"
    )
    parser.add_argument("--peak-tflops", type=float, help="peak of the device, if it is not known")
    parser.add_argument(
        "--corpus",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a corpus of kbert.corpus build, in place of those built from text/zh and text/en",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a trial: the cells of CPU and GPU, in tiny sizes"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    if options.quick:
        options.rounds = 1
    return console.guard(lambda: _run(options, given))


def _run(options: argparse.Namespace, given: Sequence[str]) -> None:
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda: this machine has no GPU that torch can use")
    start = time.monotonic()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    name = "pretraining_step" + ("_cuda" if options.device == "cuda" else "")
    name += "-quick" if options.quick else ""
    content: dict[str, Any] = {
        "environment": environment("pretraining_step", given),
        "device": options.device,
        "clock": clock_name(options.device),
        "rounds": options.rounds,
        "peak": _peak(options),
        "cells": [],
    }
    with corpora(options.corpus, quick=options.quick) as found:
        for cell in cells(list(found), device=options.device, quick=options.quick):
            row: dict[str, Any] = cell.to_mapping()
            began = time.monotonic()
            if began - start > 60 * options.minutes:
                row["skipped"] = f"{options.minutes:g} minutes were over"
            else:
                try:
                    row |= measure(cell, found[cell.corpus], options=options)
                except (Mismatch, GraphError):
                    raise
                except Exception as error:  # out of memory, what a compiler says: the rest goes on
                    row["failed"] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                _free(options.device)
                row["seconds"] = time.monotonic() - began
            content["cells"].append(row)
            file = write_result(name, content, folder=options.results)
    print(f"{step_tables(json.loads(file.read_bytes()))}\nwrote {file.name}")


def _free(device: str) -> None:
    """Give memory back between cells, and forget what was compiled."""
    torch.compiler.reset()
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
