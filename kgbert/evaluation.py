"""Evaluate a run on a part of its data set: figures of its task, or of another one that it can do.

A network that says whether triples are true can judge labelled triples and rank entities; one that
names relations can rank relations. What is written stands in a folder of the run:

    metrics.json     protocol, all figures, groups, intervals (or bounds), versions, hardware
    relations.tsv    figures of each relation
    ranks.parquet    the rank of each query of link prediction; `kgbert.rank_files` says the rest
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from kbert.errors import RunError, SettingsError
from kbert.preflight import check_folder
from kgbert.compatibility import cuts
from kgbert.engine import Precision, ScoringEngine
from kgbert.learnt import learnt_index
from kgbert.link_evaluation import Engines, Plan, evaluate_links, refuse_begun
from kgbert.outcome import METRICS, Outcome
from kgbert.record import read_json
from kgbert.relation_evaluation import evaluate_relations
from kgbert.triple_evaluation import evaluate_triples

if TYPE_CHECKING:
    from graphs.filters import FilterIndex
    from kgbert.dataset import KnowledgeData, Part
    from kgbert.run import Run
    from kgbert.sequences import Truncation
    from kgbert.settings import Task

FOLDER: Final = "evaluation"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is asked of an evaluation; `task` None is that of the run, `output` None its folder.

    `dataset` is another place of the same data set, `shard` (i, n) the share of the queries, and
    `minutes` the time after which there are bounds instead of figures.
    """

    part: Part = "test"
    task: Task | None = None
    dataset: str | None = None
    output: Path | None = None
    shard: tuple[int, int] = (1, 1)
    resume: bool = False
    minutes: float = math.inf
    original: bool = False
    device: str = "cpu"
    precision: Precision = "32"
    batch_tokens: int = 4096


class _Common(TypedDict):
    part: Part
    texts: str
    original: bool
    learnt: FilterIndex


def evaluate(run: Run, wishes: Wishes, *, say: Callable[[str], None]) -> Outcome:
    """Evaluate `run` as asked for, write what came out, and return it.

    Raises `RunError` where the data set is not the one of the run, or the folder holds another
    evaluation; `SettingsError` for a task that the run cannot do, or wishes that do not go
    together; `DataError` and `graphs.GraphError` where data cannot be read; `CheckpointError`.
    """
    start = time.perf_counter()
    task, folder = task_of(run, wishes), check_output(run, wishes)
    data = run.load_data(wishes.dataset)
    for note in data.notes:
        say(f"note: {note}")
    engine = _engine(run, wishes)
    if task == "link-prediction":
        outcome = _links(run, wishes, engine, data, folder=folder, say=say)
    else:
        common: _Common = {
            "part": wishes.part,
            "texts": run.record.settings.texts,
            "original": wishes.original,
            "learnt": learnt_index(data, run.record.settings),
        }
        if task == "triple-classification":
            outcome = evaluate_triples(engine, data, stored=run.thresholds, **common)
        else:
            outcome = evaluate_relations(engine, data, **common)
    outcome = replace(outcome, content={**outcome.content, **_circumstances(run, start=start)})
    outcome.write(folder)
    say(f"written to {folder}" if outcome.complete else f"so far in {folder}")
    return outcome


def check_output(run: Run, wishes: Wishes) -> Path:
    """Return the folder that will be written, once it is known that it can be.

    Raises `RunError` where it cannot, or a ranking is there that is not to go on, and
    `SettingsError` as `task_of` does.
    """
    task = task_of(run, wishes)
    folder = wishes.output or run.folder / FOLDER / f"{task}-{wishes.part}"
    check_folder(folder)
    if wishes.output is not None:
        _check_figures(folder, run=run, task=task)
    if task == "link-prediction":
        refuse_begun(folder, resume=wishes.resume, shard=wishes.shard)
    return folder


def _check_figures(folder: Path, *, run: Run, task: Task) -> None:
    """Refuse a folder with figures of another run or task. Raises `RunError`."""
    file = folder / METRICS
    there = read_json(file) if file.is_file() else None
    if there is not None and (there.get("run"), there.get("task")) != (run.folder.name, task):
        raise RunError(
            f"{folder}: holds figures of {there.get('task')} by the run {there.get('run')}; choose"
            " another --output"
        )


def task_of(run: Run, wishes: Wishes) -> Task:
    """Return the task that is evaluated. Raises `SettingsError` for one that the run cannot do."""
    own: Task = run.record.task
    task = wishes.task or own
    if (task == "relation-prediction") != (own == "relation-prediction"):
        raise SettingsError(f"{run.folder}: was trained for {own}, which cannot do {task}")
    if task != "link-prediction":
        for name, unwanted in (
            ("--shard", wishes.shard != (1, 1)),
            ("--minutes", wishes.minutes != math.inf),
            ("--precision bf16", wishes.precision != "32"),
        ):
            if unwanted:
                raise SettingsError(f"{name} is for link prediction; {task} takes moments")
    if wishes.original and (wishes.shard != (1, 1) or wishes.minutes != math.inf):
        raise SettingsError(
            "--original compares finished figures; leave --shard and --minutes out, and say"
            " --resume once all shards are done"
        )
    return task


def _engine(run: Run, wishes: Wishes, *, truncation: Truncation | None = None) -> ScoringEngine:
    """Lay out the run's texts for its network, on the device that is asked for."""
    sequences = run.sequences()
    if truncation is not None:
        sequences = replace(sequences, truncation=truncation)
    network = run.network().to(wishes.device)
    return ScoringEngine(network, sequences, batch_tokens=wishes.batch_tokens)


def _links(
    run: Run,
    wishes: Wishes,
    engine: ScoringEngine,
    data: KnowledgeData,
    *,
    folder: Path,
    say: Callable[[str], None],
) -> Outcome:
    def fast_of(exact: ScoringEngine) -> ScoringEngine | None:
        if wishes.precision == "32":
            return None
        return ScoringEngine(
            exact.network, exact.sequences, precision="bf16", batch_tokens=wishes.batch_tokens
        )

    other = wishes.original and engine.sequences.truncation != "original" and cuts(engine.sequences)
    engines = Engines(
        exact=engine,
        cutting=_engine(run, wishes, truncation="original") if other else None,
        fast_of=fast_of,
        original=wishes.original,
    )
    plan = Plan(
        folder=folder,
        part=wishes.part,
        texts=run.record.settings.texts,
        shard=wishes.shard,
        resume=wishes.resume,
        seconds=60 * wishes.minutes,
        learnt=learnt_index(data, run.record.settings),
    )
    return evaluate_links(engines, data, plan, say=say)


def _circumstances(run: Run, *, start: float) -> dict[str, Any]:
    """Record what the figures were computed with."""
    from kbert.report import hardware, versions

    return {
        "run": run.folder.name,
        "training": run.record.protocol,
        "seed": run.record.settings.seed,
        "seconds": round(time.perf_counter() - start, 3),
        "versions": versions(),
        "hardware": hardware(),
    }
