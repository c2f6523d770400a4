"""What KG-BERT reaches on public data sets: several seeds, trained and evaluated by the commands.

Each run is `python -m kgbert.train` in a process of its own, then `python -m kgbert.evaluate` on
the whole test set; this file only reads the `metrics.json` of both. All start from
all-MiniLM-L6-v2, an encoder of 6 layers and 384 dimensions, where the paper has BERT-base, and some
train on a part of the training triples: the fraction stands with the figures. Nothing is tuned
here. The result file is written anew after every run, and `--resume` goes on with the rest. With
`--runs FOLDER` the run folders are kept there, and those that are there already are not trained
again; their settings must be the same. Writes `results/kgbert_NAME.json`.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.data import REPOSITORY, data_folder
from benchmarks.experiments import minilm
from benchmarks.report import RESULTS, environment, known_runs, portable, table, write_result
from kbert import console
from kbert.errors import RunError
from kgbert.flags import add_flags
from kgbert.intervals import over_seeds
from kgbert.settings import KnowledgeTrainSettings, settings_from

SEEDS: Final = (1, 2, 3)
VOLATILE: Final = ("output", "overwrite")  # settings that change no result
QUICK: Final = ("--epochs", "1", "--train-share", "0.01", "--validation-triples", "20")


@dataclass(frozen=True, slots=True)
class Task:
    """Flags of `kgbert.train`, and the paper's figures, if it has any for this data and task.

    Figures are named as in the headline of an evaluation. `note` says how the two differ.
    """

    flags: tuple[str, ...]
    paper: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def _minilm(name: str, task: str, *, max_length: int, epochs: int) -> tuple[str, ...]:
    """Return flags for a small encoder: batches and the rate are larger than those of the paper."""
    return (
        *("--dataset", name, "--task", task, "--init", "${KBERT_MINILM}"),
        *("--max-length", str(max_length), "--epochs", str(epochs), "--batch-size", "64"),
        *("--learning-rate", "2e-4", "--precision", "bf16", "--validation-triples", "2000"),
    )


def _judged(name: str, *, max_length: int, epochs: int) -> tuple[str, ...]:
    flags = _minilm(name, "triple-classification", max_length=max_length, epochs=epochs)
    return *flags, "--negatives", "1"


TASKS: Final = {
    "umls": Task(
        ("--config", "configs/kgbert/umls_minilm.yaml"),
        {"mr": 1.47, "hits@10": 0.990},
        "the paper: Yao et al. 2019, BERT-base",
    ),
    "wn11": Task(
        _judged("WN11", max_length=20, epochs=3),
        {"accuracy (0.5)": 0.935},
        "the paper: Yao et al. 2019, BERT-base, all training triples",
    ),
    "fb13": Task(
        (*_judged("FB13", max_length=32, epochs=1), "--train-share", "0.3"),
        {"accuracy (0.5)": 0.904},
        "the paper: Yao et al. 2019, BERT-base, all training triples, descriptions",
    ),
    "fb15k237_relations": Task(
        _minilm("FB15k-237", "relation-prediction", max_length=25, epochs=1),
        note="the paper has relation prediction on FB15K, another data set",
    ),
}

Run = Callable[[str, Sequence[str]], None]


def command(module: str, flags: Sequence[str]) -> None:
    """Run `python -m module`; its talk goes through to standard error. Raises `RunError`."""
    ended = subprocess.run(
        [sys.executable, "-m", module, *flags],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode:
        raise RunError(f"{module} {' '.join(flags)} ended with status {ended.returncode}")


def one_run(flags: Sequence[str], *, run: Run, kept: Path | None = None) -> dict[str, Any]:
    """Train with `flags`, unless the run folder `kept` is there, evaluate; return what is told.

    Raises `RunError` if `kept` has other settings.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run" if kept is None else kept
        evaluated = Path(scratch) / "evaluation"
        if not folder.exists():
            run("kgbert.train", [*flags, "--output", str(folder)])
        trained = time.perf_counter()
        run("kgbert.evaluate", [str(folder), "--original", "--output", str(evaluated)])
        ended = time.perf_counter()
        record: dict[str, Any] = json.loads((folder / "run.json").read_bytes())
        told: dict[str, Any] = json.loads((folder / "metrics.json").read_bytes())
        found: dict[str, Any] = json.loads((evaluated / "metrics.json").read_bytes())
    _check(record["settings"], flags)
    for volatile in VOLATILE:
        record["settings"].pop(volatile, None)
    record["data"].pop("path", None)
    return {
        "train_seconds": told["seconds"],
        "evaluate_seconds": ended - trained,
        "train_share": record["settings"]["train_share"],
        "training": record["protocol"],
        "epochs": told["epochs"],
        "settings": record["settings"],
        "data": record["data"],
        **{name: found[name] for name in ("protocol", "headline", "original", "figures")},
    }


def _check(settings: Mapping[str, Any], flags: Sequence[str]) -> None:
    """Refuse a run that was trained with other settings than `flags` mean."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    add_flags(parser)
    given = vars(parser.parse_args(list(flags)))
    recipe = given.pop("config", None)
    wanted = settings_from(None if recipe is None else REPOSITORY / recipe, given).to_mapping()
    asked = KnowledgeTrainSettings(**settings).to_mapping()
    other = [name for name in wanted if name not in VOLATILE and wanted[name] != asked[name]]
    if other:
        raise RunError(f"the run that is there was trained with another {', '.join(other)}")


def measure(
    task: Task,
    seeds: Sequence[int],
    *,
    paths: Mapping[str, str],
    run: Run,
    known: Sequence[Mapping[str, Any]] = (),
    extra: Sequence[str] = (),
    folders: Path | None = None,
    keep: Callable[[list[dict[str, Any]]], None],
) -> list[dict[str, Any]]:
    """Do a run a seed, but for those `known`; hand all records so far to `keep` after each.

    Run folders are kept in `folders`, if it is given.
    """
    records: list[dict[str, Any]] = []
    for seed in seeds:
        flags = [*task.flags, "--seed", str(seed), *extra]
        record = next((dict(each) for each in known if each.get("flags") == flags), None)
        if record is None:
            console.say(f"seed {seed}: {' '.join(flags)}")
            given = [_expanded(flag, paths) for flag in flags]
            kept = None if folders is None else folders / f"seed{seed}"
            told = one_run(given, run=run, kept=kept)
            found = json.dumps(told, ensure_ascii=False)
            record = {"flags": flags, "seed": seed, **json.loads(portable(found, paths))}
        records.append(record)
        keep(records)
    return records


def _expanded(flag: str, paths: Mapping[str, str]) -> str:
    for name, path in paths.items():
        flag = flag.replace(f"${{{name}}}", path)
    return flag


def report(name: str, task: Task, records: Sequence[Mapping[str, Any]]) -> str:
    """Draw mean ± sd of each figure over the seeds, beside the paper's."""
    rows = [[name, "mean", "sd", "seeds", "paper"]]
    for figure, found in over_seeds([record["headline"] for record in records]).items():
        sd = "-" if found.sd is None else f"{found.sd:.4f}"
        paper = task.paper.get(figure)
        cells = f"{found.mean:.4f}", sd, str(found.n), "-" if paper is None else f"{paper:.4g}"
        rows.append([figure, *cells])
    share = f"trained on {records[0]['train_share']:.0%} of the training triples"
    return "\n".join([table(rows), "; ".join(filter(None, (share, task.note)))])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run experiments; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kgbert_quality", description=__doc__
    )
    parser.add_argument("names", nargs="+", metavar="NAME", choices=TASKS, help=", ".join(TASKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="SEED")
    parser.add_argument("--resume", action="store_true", help="keep the runs of the result file")
    parser.add_argument("--quick", action="store_true", help="a trial: hardly any training")
    parser.add_argument(
        "--runs", type=Path, metavar="FOLDER", help="keep run folders, as NAME/seedN"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)

    def run() -> None:
        for name in options.names:
            _run(name, options, given)

    return console.guard(run)


def _run(name: str, options: argparse.Namespace, given: Sequence[str]) -> None:
    task, title = TASKS[name], f"kgbert_{name}-quick" if options.quick else f"kgbert_{name}"
    paths = {"KBERT_DATA": str(data_folder()), "KBERT_MINILM": minilm()}
    os.environ.update(paths)  # recipes name them
    content: dict[str, Any] = {
        "environment": environment("kgbert_quality", given),
        "experiment": name,
        "paper": {**task.paper},
        "note": task.note,
    }

    def keep(records: list[dict[str, Any]]) -> None:
        content.update(summary=over_seeds([each["headline"] for each in records]), runs=records)
        write_result(title, content, folder=options.results)

    records = measure(
        task,
        options.seeds,
        paths=paths,
        run=command,
        known=known_runs(options.results / f"{title}.json") if options.resume else (),
        extra=QUICK if options.quick else (),
        folders=None if options.runs is None else options.runs / name,
        keep=keep,
    )
    print(f"{report(name, task, records)}\nwrote {title}.json\n")


if __name__ == "__main__":
    sys.exit(main())
