"""`python -m benchmarks.memory_estimate`: the estimate of `kbert.footprint` against peaks.

Each size of encoder is trained for two steps (forward, backward, AdamW) in a process of its own, on
the CPU. Measured is by how much the process grew at its peak, from before the encoder was made; a
tiny one was trained before that, so that libraries and threads are there already.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from benchmarks.report import environment, write_result
from kbert import console
from kbert.batch import Batch
from kbert.footprint import Load, training_memory
from kbert.nn import Classifier, Encoder, EncoderConfig

_STATUS: Final = Path("/proc/self/status")


class Case(NamedTuple):
    """An encoder, and a batch of `rows` texts of `length` tokens."""

    width: int
    layers: int
    heads: int
    feed_forward: int
    rows: int
    length: int

    @property
    def config(self) -> EncoderConfig:
        """Return the sizes, with the vocabulary of English BERT."""
        return EncoderConfig(
            vocab_size=30_522,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            feed_forward=self.feed_forward,
        )


CASES: Final = (
    Case(128, 2, 2, 512, 128, 32),
    Case(256, 4, 4, 1024, 32, 128),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(
        prog="python -m benchmarks.memory_estimate",
        description="Compare the estimated memory of trainings with measured peaks.",
    )
    parser.add_argument("--quick", action="store_true", help="the smallest case; nothing is kept")
    options = parser.parse_args(arguments)
    return console.guard(lambda: _run(options, arguments))


def _run(options: argparse.Namespace, arguments: Sequence[str] | None) -> None:
    given = sys.argv[1:] if arguments is None else arguments
    content: dict[str, Any] = {"environment": environment("memory_estimate", given), "cases": []}
    for case in CASES[:1] if options.quick else CASES:
        found = compare(case)
        content["cases"].append(found)
        console.emit(
            f"width {case.width}, {case.layers} layers, {case.rows} x {case.length}: estimated"
            f" {found['estimated']:,}, measured {found['measured']:,} bytes, ratio"
            f" {found['ratio']:.2f}"
        )
    if not options.quick:
        write_result("memory_estimate", content)


def compare(case: Case) -> dict[str, Any]:
    """Return estimated and measured bytes of a case, and their ratio."""
    with get_context("spawn").Pool(1) as pool:
        measured, parameters = pool.apply(measure, (case,))
    load = Load(slots=case.rows * case.length, length=case.length)
    memory = training_memory(case.config, load, parameters=parameters, trained=parameters)
    return {
        **case._asdict(),
        "parameters": parameters,
        "activations": memory.activations,
        "estimated": memory.total,
        "measured": measured,
        "ratio": round(memory.total / measured, 3),
    }


def measure(case: Case) -> tuple[int, int]:
    """Train for two steps; return the growth at the peak in bytes, and the parameters."""
    torch.set_num_threads(1)
    _train(Case(8, 1, 2, 8, 2, 8))
    before = _size("VmRSS")
    parameters = _train(case)
    return _size("VmHWM") - before, parameters


def _train(case: Case) -> int:
    network = Classifier(Encoder(case.config), labels=2).train()
    optimiser = torch.optim.AdamW(network.parameters())
    array = np.zeros((6, case.length), np.int32)
    array[0], array[1], array[4], array[5] = 7, np.arange(case.length), 1, 1
    batch = Batch.from_arrays([array] * case.rows, pad_id=0)
    for _ in range(2):
        optimiser.zero_grad()
        logits = network(
            batch.token_ids,
            positions=batch.positions,
            segments=batch.segments,
            visibility=batch.visibility,
        )
        logits.logsumexp(dim=1).sum().backward()
        optimiser.step()
    return sum(parameter.numel() for parameter in network.parameters())


def _size(name: str) -> int:
    """Read a size of this process in bytes, from the kernel."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) << 10


if __name__ == "__main__":
    sys.exit(main())
