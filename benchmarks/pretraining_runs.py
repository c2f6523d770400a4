"""A small BERT from nothing: an hour of one CPU core on real text, Chinese or English.

    python -m benchmarks.pretraining_runs zh --folder FOLDER

builds the corpus (`benchmarks.pretraining_texts`) in FOLDER, pre-trains with
`configs/pretrain/cpu_hour.yaml` into FOLDER/run, and writes `results/pretraining_LANGUAGE.json`
with the curve, and the curve as a picture. What is in FOLDER already is not made again. The unigram
plateau beside the curve is the entropy of single pieces in the corpus: the loss of a model that has
learnt how frequent pieces are, and nothing of what stands around them.

`python -m benchmarks.quality chnsenticorp_pretrained medical_ner_pretrained` with
KBERT_PRETRAINED=FOLDER/run then fine-tunes from it.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.data import REPOSITORY, data_folder
from benchmarks.pretraining_texts import sources
from benchmarks.report import RESULTS, environment, table, write_result
from kbert import console
from kbert.errors import RunError
from kbert.pretraining.build import build_corpus
from kbert.pretraining.corpus import Columns
from kbert.pretraining.shards import Corpus
from kbert.pretraining.vocabulary import train_vocabulary

LANGUAGES: Final = {"zh": "Chinese", "en": "English"}
RECIPE: Final = "configs/pretrain/cpu_hour.yaml"
_PIECES: Final = {"zh": 8416, "en": 8192}  # the Chinese characters of the corpus, and no more
_QUICK: Final = ("--phases", "4x32", "--batch-tokens", "128", "--layers", "1", "--width", "16")
_QUICK_TOO: Final = ("--heads", "1", "--feed-forward", "16", "--validation-batches", "1")
_CURVE: Final = ("step", "set", "masked_loss", "masked_accuracy", "tokens", "tokens_per_second")


def corpus_of(language: str, folder: Path) -> Corpus:
    """Open the corpus in `folder`, or build it there. Raises `KbertError`."""
    place = folder / "corpus"
    if not place.exists():
        texts = sources(language, data_folder(), folder)
        tokenizer = train_vocabulary(
            texts, size=_PIECES[language], lowercase=True, columns=Columns(), announce=console.say
        )
        build_corpus(texts, place, tokenizer=tokenizer, announce=console.say)
    return Corpus.open(place)


def plateau(corpus: Corpus) -> float:
    """Return the entropy of the corpus's pieces, in nats."""
    counts = np.bincount(np.asarray(corpus.token_ids), minlength=corpus.vocab_size)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def pretrain(corpus: Corpus, run: Path, extra: Sequence[str]) -> None:
    """Run `kbert.pretrain` in a process of its own. Raises `RunError` if it fails."""
    flags = ["--config", str(REPOSITORY / RECIPE), "--output", str(run), *extra]
    ended = subprocess.run(
        [sys.executable, "-m", "kbert.pretrain", *flags],
        cwd=REPOSITORY,
        env={**os.environ, "KBERT_CORPUS": str(corpus.path)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode:
        raise RunError(f"kbert.pretrain ended with status {ended.returncode}")


def curve(run: Path) -> list[dict[str, float | str]]:
    """Read the figures of a run's `metrics.csv` that are drawn."""
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        {name: row[name] if name == "set" else float(row[name]) for name in _CURVE if row[name]}
        for row in rows
    ]


def figures(corpus: Corpus, run: Path) -> dict[str, Any]:
    """Collect what a run came to."""
    metrics = json.loads((run / "metrics.json").read_bytes())
    record = json.loads((run / "run.json").read_bytes())
    for volatile in ("output", "overwrite"):
        record["settings"].pop(volatile, None)
    unigram = plateau(corpus)
    last = metrics["held_out"][-1]["masked"]
    return {
        "corpus": {k: v for k, v in record["corpus"].items() if k != "path"},
        "settings": {k: v for k, v in record["settings"].items() if k != "corpus"},
        "versions": record["versions"],
        "pieces": corpus.vocab_size,
        "unigram_plateau": unigram,
        "uniform": math.log(corpus.vocab_size),
        "held_out": last,
        "below_plateau": unigram - last["loss"],
        "tokens": metrics["tokens"],
        "training_seconds": metrics["training_seconds"],
        "tokens_per_second": metrics["tokens_per_second"],
        "hardware": metrics["hardware"],
        "samples": (run / "samples.txt").read_text(encoding="utf-8").splitlines(),
        "curve": curve(run),
    }


def draw(found: Mapping[str, Any], file: Path, *, title: str) -> None:
    """Draw the losses of training and held-out texts over the steps, and the plateau."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    for part, colour in (("train", "#8d99a6"), ("held out", "#2f6690")):
        rows = [row for row in found["curve"] if row["set"] == part and "masked_loss" in row]
        axes.plot(
            [row["step"] for row in rows], [row["masked_loss"] for row in rows],
            color=colour, label=part, linewidth=1.8 if part == "held out" else 1.0,
        )  # fmt: skip
    level = found["unigram_plateau"]
    axes.axhline(level, color="#d1603d", linestyle="--", label=f"unigram entropy {level:.2f}")
    axes.set(xlabel="optimiser step", ylabel="masked loss (nats)", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=110, metadata={"Software": None})


def render(contents: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the table of the runs by language, as Markdown."""
    heads = ["language", "pieces", "tokens in the corpus", "tokens read", "steps"]
    rows = [[*heads, "held-out loss", "unigram entropy", "accuracy", "tokens a second"]]
    for language, found in contents.items():
        phases = ", ".join(found["settings"]["phases"])
        cells = [f"{found['pieces']:,}", f"{found['corpus']['tokens']:,}", f"{found['tokens']:,}"]
        cells += [phases, f"{found['held_out']['loss']:.3f}", f"{found['unigram_plateau']:.3f}"]
        cells += [f"{found['held_out']['accuracy']:.1%}", f"{found['tokens_per_second']:,.0f}"]
        rows.append([LANGUAGES[language], *cells])
    sources = ", ".join(f"[`{n}`](benchmarks/results/{n})" for n in map(_file, contents))
    pictures = " ".join(
        f"![masked loss over the steps, {LANGUAGES[language]}](benchmarks/results/"
        f"pretraining_{language}.png)"
        for language in contents
    )
    first = next(iter(contents.values()))
    return (
        f"**A small BERT from nothing** (`{first['environment']['command']}`,"
        f" {first['hardware']}, shared with other work, torch {first['versions']['torch']};"
        f" {sources})\n\n{table(rows)}\n\n{pictures}\n\n"
        "`configs/pretrain/cpu_hour.yaml`, 4 layers of width 256, on the texts of"
        " `benchmarks/pretraining_texts.py`; the unigram entropy is the loss of who knows how"
        " frequent pieces are, and nothing else."
    )


def _file(language: str) -> str:
    return f"pretraining_{language}.json"


def _shown(options: argparse.Namespace) -> list[str]:
    """Spell the command without paths of the machine."""
    phases = ["--phases", *options.phases] if options.phases else []
    quick = ["--quick"] if options.quick else []
    return [options.language, "--folder", "FOLDER", *phases, *quick]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, train, write and draw; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretraining_runs", description=__doc__
    )
    parser.add_argument("language", choices=tuple(LANGUAGES))
    parser.add_argument("--folder", type=Path, required=True, help="takes corpus and run")
    parser.add_argument("--phases", nargs="+", default=[], help="others than those of the recipe")
    parser.add_argument("--quick", action="store_true", help="a trial: tiny sizes, four steps")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args(arguments)

    def run() -> None:
        corpus = corpus_of(options.language, options.folder)
        place = options.folder / "run"
        if not place.exists():
            phases = ["--phases", *options.phases] if options.phases else []
            pretrain(corpus, place, (*_QUICK, *_QUICK_TOO) if options.quick else phases)
        found = figures(corpus, place)
        name = f"pretraining_{options.language}" + ("-quick" if options.quick else "")
        made = environment("pretraining_runs", _shown(options))
        write_result(name, {"environment": made, **found}, folder=options.results)
        title = f"4 layers of 256, {found['tokens'] / 1e6:.0f} million tokens, {options.language}"
        draw(found, options.results / f"{name}.png", title=title)
        print(f"held out {found['held_out']['loss']:.3f}, plateau {found['unigram_plateau']:.3f}")
        print(f"wrote {name}.json and {name}.png")

    return console.guard(run)


if __name__ == "__main__":
    sys.exit(main())
