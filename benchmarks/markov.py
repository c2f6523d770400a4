"""Does a model that learns a Markov source come to the best possible loss, and never below it?

Four experiments on one source of 32 symbols, 15 % of them hidden, with 2 layers of 128 and 64
sequences of 64 a step.

alone     one chain a row, masked. The loss stays at the unigram entropy, drops, and comes to
          within 10 % of the best possible loss.
packed    two copies of a chain in a row, kept apart by visibility, each with other symbols hidden.
          What one hides the other mostly shows, so that looking across would pay at once; the loss
          must not fall below what one copy allows.
leaking   the same with nothing to keep them apart: a leak made on purpose, which must be found.
causal    one chain a row, each next symbol from those before it: to the entropy rate, not below.

"Below" means by more than four standard errors of the difference to the best possible loss of the
very same targets, over 1,000 sequences that are kept apart. Writes `markov.json`, anew after each
experiment, and `markov.png`; `--resume` keeps the experiments of the file that would be the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.markov_learner import SIGMAS, Experiment, Learner, Measure
from benchmarks.markov_source import Source
from benchmarks.report import RESULTS, environment, table, write_result
from kbert import console
from kbert.errors import DataError

SYMBOLS: Final = 32
SOURCE_SEED: Final = 0
SEED: Final = 2
PLATEAU: Final = 200
"""The step at which a masked model still knows the symbols' frequencies alone."""
EXPERIMENTS: Final = (
    Experiment(name="causal", steps=500, causal=True),
    Experiment(name="leaking", steps=1000, copies=2, apart=False),
    Experiment(name="alone", steps=3500),
    Experiment(name="packed", steps=1500, copies=2),
)
_COLOURS: Final = {
    "alone": "#2f6690", "packed": "#3a7d44", "leaking": "#d1603d", "causal": "#8d99a6",
}  # fmt: skip


def known_source() -> Source:
    """Return the source of the known figures: best loss 0.9367, unigram entropy 3.2643."""
    return Source.draw(symbols=SYMBOLS, seed=SOURCE_SEED)


def learn(learner: Learner, *, every: int, announce: bool = True) -> list[Measure]:
    """Train to the end, measuring every so many steps; a leak by half of the loss ends it."""
    experiment, measures = learner.experiment, [learner.measure()]
    while learner.done < experiment.steps:
        learner.train(min(every, experiment.steps - learner.done))
        last = learner.measure()
        measures.append(last)
        if announce:
            best = last.loss - last.excess
            console.say(
                f"{experiment.name} step {last.step}/{experiment.steps}  loss {last.loss:.4f}"
                f" ({last.accuracy:.1%})  best possible {best:.4f}"
            )
        if last.leaks and last.loss < 0.5 * (last.loss - last.excess):
            break
    return measures


def verdicts(name: str, measures: Sequence[Measure], *, unigram: float) -> dict[str, bool]:
    """Say which of an experiment's claims hold."""
    last = measures[-1]
    if name == "leaking":
        return {"the leak is found": last.leaks}
    near = last.loss <= 1.1 * (last.loss - last.excess)
    found = {"never below the best possible loss": not any(each.leaks for each in measures)}
    if name == "packed":
        found["below the unigram entropy by half"] = last.loss < 0.5 * unigram
        return found
    found["within 10 % of the best possible loss"] = near
    if name == "alone":
        plateau = next(each for each in measures if each.step == PLATEAU)
        found["at the unigram entropy first"] = abs(plateau.loss - unigram) <= 0.05
    return found


def describe(learner: Learner, measures: Sequence[Measure], *, seconds: float) -> dict[str, Any]:
    """List the figures of one experiment."""
    last = measures[-1]
    best = float(learner.best.mean())
    content: dict[str, Any] = {
        "settings": asdict(learner.experiment),
        "best_possible": {"loss": best, "accuracy": float(learner.guessed.mean())},
        "targets": len(learner.best),
        "final": last,
        "times_best_possible": last.loss / best,
        "excess_in_standard_errors": last.excess / last.error,
    }
    if learner.experiment.copies > 1:
        content["best_possible_across_copies"] = learner.best_across()
    unigram = learner.source.unigram_entropy
    content["verdicts"] = verdicts(learner.experiment.name, measures, unigram=unigram)
    return content | {"seconds": seconds, "curve": list(measures)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; return the exit status, 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.markov",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--every", type=int, default=100, help="steps between two measurements")
    parser.add_argument("--resume", action="store_true", help="keep what the result file has")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)
    content: dict[str, Any] = {}
    status = console.guard(lambda: content.update(run(options, given)))
    held = [
        h for each in content.get("experiments", {}).values() for h in each["verdicts"].values()
    ]
    return status or int(not all(held))


def run(options: argparse.Namespace, given: Sequence[str]) -> dict[str, Any]:
    """Run every experiment; the file is written anew after each of them."""
    source = known_source()
    content: dict[str, Any] = {
        "environment": environment("markov", given),
        "source": {
            "symbols": SYMBOLS,
            "seed": SOURCE_SEED,
            "unigram_entropy": source.unigram_entropy,
            "entropy_rate": source.entropy_rate,
        },
        "seed": SEED,
        "standard_errors_of_a_leak": SIGMAS,
        "experiments": {},
    }
    known = _known(options.results / "markov.json") if options.resume else {}
    for experiment in EXPERIMENTS:
        name, found = experiment.name, known.get(experiment.name, {})
        if found.get("settings") != asdict(experiment):
            start = time.perf_counter()
            learner = Learner(source, experiment, seed=SEED)
            measures = learn(learner, every=options.every)
            found = describe(learner, measures, seconds=time.perf_counter() - start)
        content["experiments"][name] = found
        write_result("markov", content, folder=options.results)
    draw(content, options.results / "markov.png")
    print(table(_rows(content["experiments"])))
    return content


def _known(file: Path) -> dict[str, Any]:
    """Read the experiments of a result file, if there is one. Raises `DataError`."""
    if not file.is_file():
        return {}
    try:
        experiments: dict[str, Any] = json.loads(file.read_bytes())["experiments"]
        for each in experiments.values():
            each["final"] = Measure(**each["final"])
            each["curve"] = [Measure(**measure) for measure in each["curve"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"not a result of this benchmark: {error}", file=file) from None
    return experiments


def draw(content: Mapping[str, Any], path: Path) -> None:
    """Draw the curves and the best possible losses. Nothing of matplotlib's state is changed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, each in content["experiments"].items():
        curve, colour = each["curve"], _COLOURS[name]
        axes.plot([m.step for m in curve], [m.loss for m in curve], color=colour, label=name)
        if name != "leaking":
            best = each["best_possible"]["loss"]
            axes.axhline(best, color=colour, linestyle=":", linewidth=1)
    axes.axhline(content["source"]["unigram_entropy"], color="black", linestyle="--", linewidth=1)
    axes.set(
        xlabel="step", ylabel="loss on sequences kept apart, nats", ylim=(0, None),
        title="A Markov source: dotted the best possible losses, dashed the unigram entropy",
    )  # fmt: skip
    axes.title.set_fontsize(10)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def _rows(experiments: Mapping[str, Any]) -> list[list[str]]:
    found = [["experiment", "steps", "loss", "best possible", "excess ± s.e.", "claims"]]
    for name, each in experiments.items():
        last: Measure = each["final"]
        failed = [claim for claim, holds in each["verdicts"].items() if not holds]
        found.append(
            [
                name,
                f"{last.step:,}",
                f"{last.loss:.4f}",
                f"{each['best_possible']['loss']:.4f}",
                f"{last.excess:+.4f} ± {last.error:.4f}",
                "not held: " + ", ".join(failed) if failed else "hold",
            ]
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
