"""`python -m kgbert.evaluate RUN [RUN …]`: every figure of a trained run, on its test set.

Figures are exact: link prediction ranks all entities on both sides. An evaluation can be divided
(`--shard`), goes on after an interruption (`--resume`), and gives bounds where the time is short
(`--minutes`). Of several runs, such as three seeds, mean and standard deviation are told as well.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from kbert import console
from kbert.errors import SettingsError
from kgbert.dataset import PARTS
from kgbert.settings import Task

if TYPE_CHECKING:
    from kgbert.outcome import Outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    return console.guard(lambda: _evaluate(options))


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(
        prog="python -m kgbert.evaluate",
        description="Compute the figures of runs that kgbert.train wrote.",
        allow_abbrev=False,
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders of kgbert.train")
    for name, metavar, text in (
        ("--dataset", "NAME|FOLDER", "where the run's data set is now (default: where it was)"),
        ("--output", "FOLDER", "where figures are written (default: RUN/evaluation/TASK-SPLIT)"),
    ):
        parser.add_argument(name, metavar=metavar, help=text)
    parser.add_argument("--split", choices=PARTS, default="test", help="(default: test)")
    parser.add_argument(
        "--task", choices=get_args(Task), help="what is measured (default: the run's task)"
    )
    parser.add_argument(
        "--original",
        action="store_true",
        help="compare with the choices of the original KG-BERT, one by one",
    )
    ranking = parser.add_argument_group("link prediction")
    ranking.add_argument(
        "--shard", metavar="I/N", default="1/1", help="rank the I-th of N shares of the queries"
    )
    ranking.add_argument("--resume", action="store_true", help="go on with what is there already")
    ranking.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        metavar="M",
        help="stop after so long, with bounds of every figure",
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda or cuda:N"
    )
    machine.add_argument(
        "--precision",
        choices=("32", "bf16"),
        default="32",
        help="bf16: score in bfloat16, and again in 32 bits where ranks could differ",
    )
    machine.add_argument(
        "--batch-tokens", type=int, default=4096, metavar="N", help="tokens a batch (default: 4096)"
    )
    return parser


def _evaluate(options: argparse.Namespace) -> None:
    shard = read_shard(options.shard)
    _check(options)
    from kbert.devices import check_device
    from kgbert.evaluation import Wishes, check_output, evaluate
    from kgbert.run import Run
    from kgbert.run_page import report_on

    wishes = Wishes(
        part=options.split,
        task=options.task,
        dataset=options.dataset,
        output=None if options.output is None else Path(options.output),
        shard=shard,
        resume=options.resume,
        minutes=options.minutes,
        original=options.original,
        device=check_device(options.device),
        precision=options.precision,
        batch_tokens=options.batch_tokens,
    )
    runs = [
        Run.open(folder) for folder in options.runs
    ]  # all of them before the first is long at it
    places = [check_output(run, wishes) for run in runs]
    found = []
    for folder, run, place in zip(options.runs, runs, places, strict=True):
        outcome = evaluate(run, wishes, say=console.say)
        report_on(folder, evaluation=place)
        console.emit(f"{folder}\n{outcome.protocol}\n\n{outcome.text}\n")
        found.append(outcome)
    if len(found) > 1:
        console.emit(_over(found))


def read_shard(text: str) -> tuple[int, int]:
    """Read `i/n`. Raises `SettingsError` for anything else, and where i is not from 1 to n."""
    form = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if form is None or not 1 <= int(form[1]) <= int(form[2]):
        raise SettingsError(f"--shard is {text!r}; expected I/N, I from 1 to N, as in 2/8")
    return int(form[1]), int(form[2])


def _check(options: argparse.Namespace) -> None:
    if not options.minutes > 0:
        raise SettingsError(f"--minutes is {options.minutes}; it must be more than 0")
    if options.batch_tokens < 1:
        raise SettingsError(f"--batch-tokens is {options.batch_tokens}; it must be at least 1")
    _refuse_twice([Path(folder) for folder in options.runs])
    if options.output is not None and len(options.runs) > 1:
        raise SettingsError("--output takes the figures of one run; leave it out for several")


def _refuse_twice(runs: Sequence[Path]) -> None:
    """Refuse a run that is named twice: it would count as two seeds that agree."""
    places = [run.resolve() for run in runs]
    for place, run in zip(places, runs, strict=True):
        if places.count(place) > 1:
            raise SettingsError(f"{run}: is named twice; name each run once")


def _over(found: Sequence[Outcome]) -> str:
    """Say mean and standard deviation over runs, if all of them are complete and comparable."""
    from kgbert.figure_tables import seeds_table
    from kgbert.intervals import over_seeds

    if not all(outcome.complete for outcome in found):
        return "not all runs are complete, so there is no mean"
    if len({outcome.protocol for outcome in found}) > 1:
        return "the runs' protocols differ, so there is no mean"
    try:
        return seeds_table(over_seeds([outcome.headline for outcome in found]))
    except ValueError as error:
        raise SettingsError(f"the runs cannot be averaged: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
