"""How many triples a second `TripleScorer.score` has, beside sentence-transformers' CrossEncoder.

Both have the same weights, one core, and real triples of a data set in a drawn order. CrossEncoder
takes pairs of texts: `head [SEP] relation` and `tail`, whose pieces are those of a triple, but
whose segments are not. So that equal scores can be asked for, both segments' embeddings are made
equal in the weights; no input is cut. Each round is about another part of the triples; in each all
take turns, and the ratio is of the seconds of each round, those of the processor. Where
sentence-transformers is not installed, its loop is rewritten here on transformers (sorted by
length of characters, batches of 32, padded to the longest); the result says which of both it was.
Beside it: bfloat16, and a list in which each triple stands twice. Writes `results/scoring.json`.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data import data_folder, part_of
from benchmarks.report import RESULTS, Spread, environment, one_core, ratios, table, write_result
from kbert import console
from kbert.tokenizer import Tokenizer
from kgbert.data import load_data
from kgbert.network import TripleNetwork
from kgbert.scorer import TripleScorer

BATCH: Final = 32  # CrossEncoder's default
_WARM: Final = slice(0, 256)
_Score = Callable[[slice], NDArray[np.floating]]


class Timed(NamedTuple):
    """Seconds of each round, and the scores of all rounds."""

    seconds: list[float]
    scores: NDArray[np.floating]


def write_model(init: str, folder: Path) -> None:
    """Write a model with a drawn head on the encoder `init`, whose segments are all alike."""
    generator = torch.Generator().manual_seed(0)
    network = TripleNetwork.from_encoder(init, generator=generator)
    with torch.no_grad():
        segments = network.encoder.embeddings.segment.weight
        segments[:] = segments[0].clone()
        network.classifier.classifier.weight.normal_(std=0.2, generator=generator)
    network.save(folder, labels=("false", "true"))
    Tokenizer.from_pretrained(init).save(folder)


def cross_encoder(folder: Path, pairs: Sequence[tuple[str, str]]) -> tuple[str, _Score]:
    """Return what is compared with, and a call that gives its logits (n, 2) of true and false."""
    if importlib.util.find_spec("sentence_transformers") is None:
        return "its loop, rewritten on transformers", rewritten(folder, pairs)
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), num_labels=2, device="cpu")
    named = f"sentence-transformers {metadata.version('sentence-transformers')}"
    inputs = [list(pair) for pair in pairs]
    return named, lambda part: model.predict(
        inputs[part], batch_size=BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False
    )


def rewritten(folder: Path, pairs: Sequence[tuple[str, str]]) -> _Score:
    """Return a call that gives logits (n, 2) as CrossEncoder's `predict` comes to them."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    read = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def score(part: slice) -> NDArray[np.floating]:
        wanted = pairs[part]
        order = np.argsort([-sum(map(len, pair)) for pair in wanted])
        found = []
        for start in range(0, len(order), BATCH):
            some = [wanted[place] for place in order[start : start + BATCH]]
            features = read(
                [first for first, _ in some],
                [second for _, second in some],
                padding=True,
                truncation=True,
                return_tensors="pt",
            )
            found.append(model(**features).logits)
        logits = torch.cat(found).numpy()
        scores = np.empty_like(logits)
        scores[order] = logits
        return scores

    return score


def alternate(calls: Sequence[_Score], *, count: int, rounds: int) -> list[Timed]:
    """Call each in turn on each of `rounds` parts of `count` triples, after a short warming up."""
    for call in calls:
        call(_WARM)
    ends = np.linspace(0, count, rounds + 1).astype(int).tolist()
    scores: list[list[NDArray[np.floating]]] = [[] for _ in calls]
    seconds: list[list[float]] = [[] for _ in calls]
    for first, last in itertools.pairwise(ends):
        for place, call in enumerate(calls):
            start = time.process_time()
            scores[place].append(call(slice(first, last)))
            seconds[place].append(time.process_time() - start)
    return [Timed(each, np.concatenate(found)) for each, found in zip(seconds, scores, strict=True)]


def measure(options: argparse.Namespace, *, init: str, scratch: Path) -> dict[str, Any]:
    """Measure on `options.triples` triples of a data set."""
    write_model(init, scratch)
    data = load_data(part_of(data_folder(), f"kgc/{options.dataset}"), texts=options.texts)
    every = np.concatenate([data.train, data.valid, data.test])
    generator = np.random.default_rng(0)
    rows = every[generator.permutation(len(every))[: options.triples]]
    texts = [
        (data.texts.entity(head), data.texts.relation(link), data.texts.entity(tail))
        for head, link, tail in rows.tolist()
    ]
    pairs = [(f"{head} [SEP] {link}", tail) for head, link, tail in texts]
    exact = TripleScorer.from_pretrained(scratch)
    low = TripleScorer.from_pretrained(scratch, precision="bf16")
    peer, theirs = cross_encoder(scratch, pairs)
    calls: list[_Score] = [
        theirs,
        lambda part: exact.score(texts[part], output="logit"),
        lambda part: low.score(texts[part], output="logit"),
        lambda part: exact.score(texts[part] * 2, output="logit"),
    ]
    their, our, bf16, double = alternate(calls, count=len(texts), rounds=options.rounds)
    difference = float(np.abs(their.scores[:, 1] - our.scores).max())
    if difference > 1e-4:
        raise SystemExit(f"scores differ by {difference}: this is no comparison")
    count = len(texts) / options.rounds
    return {
        "data": {"name": Path(data.name).name, "texts": options.texts, "triples": len(texts)},
        "distinct": len(set(texts)),
        "peer": peer,
        "largest_difference": f"{difference:.1e}",
        "score_deviation": float(their.scores[:, 1].std()),
        "bf16_difference": float(np.abs(bf16.scores - our.scores).max()),
        "triples_a_second": {
            "peer": Spread.of([count / each for each in their.seconds]),
            "fp32": Spread.of([count / each for each in our.seconds]),
            "bf16": Spread.of([count / each for each in bf16.seconds]),
            "each_asked_twice": Spread.of([2 * count / each for each in double.seconds]),
        },
        "times_faster": {
            "fp32": ratios(their.seconds, our.seconds),
            "bf16": ratios(their.seconds, bf16.seconds),
            "each_asked_twice": ratios([2 * each for each in their.seconds], double.seconds),
        },
    }


def report(found: dict[str, Any]) -> str:
    """Draw the table."""
    rows = [["", "triples a second", "times the peer"]]
    for name, rate in found["triples_a_second"].items():
        times = found["times_faster"].get(name)
        rows.append([name, rate.text(".0f"), "1" if times is None else times.text()])
    return f"peer: {found['peer']}\n{table(rows)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--dataset", default="WN18RR")
    parser.add_argument("--texts", choices=["name", "description", "both"], default="both")
    parser.add_argument("--triples", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--init", metavar="FOLDER", help="encoder (default: all-MiniLM-L6-v2)")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)

    def run() -> None:
        from benchmarks.experiments import minilm

        logging.disable(logging.WARNING)
        torch.set_num_threads(1)
        init = minilm() if options.init is None else options.init
        with tempfile.TemporaryDirectory() as scratch, one_core():
            found = measure(options, init=init, scratch=Path(scratch))
        record = environment("scoring", [part for part in arguments if part != options.init])
        write_result("scoring", {"environment": record, **found}, folder=options.results)
        print(report(found))

    return console.guard(run)


if __name__ == "__main__":
    sys.exit(main())
