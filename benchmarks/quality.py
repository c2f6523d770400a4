"""What training reaches: every arm of an experiment over several seeds, on the test set.

Each run is `python -m kbert.train` in a process of its own, so a figure is what a user gets from
the same command; this file only reads the `metrics.json` of its run folder. The result file is
written anew after every run, so an interrupted run keeps what it has, and `--resume` goes on
with the rest. Nothing is tuned here. Writes `results/quality_NAME.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.data import REPOSITORY
from benchmarks.experiments import NAMES, PRETRAINED, Experiment, experiment, recipe_file
from benchmarks.report import (
    RESULTS,
    MeanSd,
    environment,
    known_runs,
    portable,
    table,
    write_result,
)
from kbert import console
from kbert.errors import RunError

SEEDS: Final = (1, 2, 3)

Train = Callable[[Sequence[str], Mapping[str, str]], dict[str, Any]]


def train(flags: Sequence[str], paths: Mapping[str, str]) -> dict[str, Any]:
    """Run `kbert.train` with `flags`; return its metrics, with settings and wall seconds.

    Raises `RunError` if the command fails; its talk goes through to standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "kbert.train", *flags, "--output", str(run)]
        start = time.perf_counter()
        ended = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**os.environ, **paths},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if ended.returncode:
            raise RunError(f"kbert.train {' '.join(flags)} ended with status {ended.returncode}")
        metrics: dict[str, Any] = json.loads((run / "metrics.json").read_bytes())
        metrics["settings"] = json.loads((run / "run.json").read_bytes())["settings"]
        metrics["wall_seconds"] = time.perf_counter() - start
    for volatile in ("output", "overwrite"):
        metrics["settings"].pop(volatile, None)
    return metrics


def measure(
    plan: Experiment,
    seeds: Sequence[int],
    *,
    train: Train,
    known: Sequence[Mapping[str, Any]] = (),
    keep: Callable[[list[dict[str, Any]]], None],
    extra: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Train every arm with every seed, and hand all records so far to `keep` after each run.

    A run among `known` whose flags and recipe are those that it would have now is not repeated.
    """
    recipe = None if plan.recipe is None else recipe_file(plan.recipe).read_text(encoding="utf-8")
    records: list[dict[str, Any]] = []
    for seed in seeds:
        for arm, flags in plan.arms.items():
            mine = (*flags, "--seed", str(seed), *extra)
            config = () if plan.recipe is None else ("--config", f"configs/{plan.recipe}.yaml")
            key = {"arm": arm, "seed": seed, "flags": [*config, *mine], "recipe": recipe}
            record = next((dict(run) for run in known if key.items() <= run.items()), None)
            if record is None:
                console.say(f"{plan.name}: {arm}, seed {seed}")
                given = [_expand(flag, plan.paths) for flag in (*config, *mine)]
                metrics = json.dumps(train(given, plan.paths), ensure_ascii=False)
                record = {**key, **json.loads(portable(metrics, plan.paths))}
            records.append(record)
            keep(records)
    return records


def _expand(flag: str, paths: Mapping[str, str]) -> str:
    for name, path in paths.items():
        flag = flag.replace(f"${{{name}}}", path)
    return flag


def summary(records: Sequence[Mapping[str, Any]], *, base: str = "none") -> dict[str, Any]:
    """Summarise the runs of each arm, and its gain over the arm `base`, seed by seed."""
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        arms.setdefault(record["arm"], []).append(record)
    return {
        arm: {
            "seeds": [run["seed"] for run in runs],
            "dev": _averages([run["dev"] for run in runs]),
            "test": _averages([run["test"] for run in runs]),
            f"test_gain_over_{base}": {} if arm == base else _gain(runs, arms.get(base, ())),
            "test_majority": runs[0]["test_majority"],
            "seconds": MeanSd.of([run["wall_seconds"] for run in runs]),
        }
        for arm, runs in arms.items()
    }


def _averages(scores: Sequence[Mapping[str, float]]) -> dict[str, MeanSd]:
    return {name: MeanSd.of([run[name] for run in scores]) for name in scores[0]}


def _gain(
    runs: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> dict[str, MeanSd]:
    """Average the differences between runs of the same seed; empty where there are none."""
    base = {other["seed"]: other["test"] for other in others}
    gains = [
        {name: score - base[run["seed"]][name] for name, score in run["test"].items()}
        for run in runs
        if run["seed"] in base
    ]
    return _averages(gains) if gains else {}


def report(arms: Mapping[str, Any]) -> str:
    """Draw the table of a summary: test scores, mean ± sd over seeds."""
    first = next(iter(arms.values()))
    names = list(first["test"])
    rows = [["test", *(name.replace("_", " ") for name in names), "seeds", "seconds a run"]]
    for arm, found in arms.items():
        scores = [found["test"][name].text() for name in names]
        rows.append([arm, *scores, str(len(found["seeds"])), found["seconds"].text(".0f")])
    if first["test_majority"] is not None:
        rows.append(["(majority label)", f"{first['test_majority']:.4f}", *[""] * (len(names) + 1)])
    return table(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run experiments; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    every = (*NAMES, *PRETRAINED, "all")
    parser.add_argument("names", nargs="+", metavar="NAME", choices=every, help=", ".join(every))
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="SEED")
    parser.add_argument("--resume", action="store_true", help="keep the runs of the result file")
    parser.add_argument("--quick", action="store_true", help="a trial: tiny sizes, one epoch")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)

    def run() -> None:
        for name in NAMES if "all" in options.names else options.names:
            _run(name, options, given)

    return console.guard(run)


def _run(name: str, options: argparse.Namespace, given: Sequence[str]) -> None:
    title = f"quality_{name}-quick" if options.quick else f"quality_{name}"
    known = known_runs(options.results / f"{title}.json") if options.resume else []
    made = environment("quality", given)
    content: dict[str, Any] = {"environment": made, "experiment": name}

    def keep(records: list[dict[str, Any]]) -> None:
        content.update(summary=summary(records, base=plan.base), runs=records)
        write_result(title, content, folder=options.results)

    with tempfile.TemporaryDirectory() as scratch:
        plan = experiment(name, Path(scratch))
        extra = plan.quick if options.quick else ()
        measure(plan, options.seeds, train=train, known=known, keep=keep, extra=extra)
    print(f"{name}\n{report(content['summary'])}\nwrote {title}.json\n")


if __name__ == "__main__":
    sys.exit(main())
