"""A run folder: a model that `transformers` can read, and what training knew.

    config.json model.safetensors vocab.txt tokenizer.json tokenizer_config.json   the model
    run.json       task, labels, graph with fingerprint, policy of facts, settings, versions
    config.yaml    the settings again, as a recipe for `--config`
    metrics.json   figures of the run           README.md   its model card
    checksums.json checksums of what the model is made of (`kbert.nn.checksums`)

The folder appears whole or not at all: training writes beside it, in a folder of its own, and
renames that at the end. So two runs never write to one place; the later one to end is refused.
What a run leaves that was stopped or killed holds its checkpoints: see `kbert.resuming`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from graphs import TripleStore
from graphs.compiled.sealing import sync
from graphs.disk import reason
from kbert import checkpoints
from kbert.columns import Form
from kbert.errors import CheckpointError, RunError, SettingsError
from kbert.locks import alone
from kbert.nn.checksums import read_bytes, seal
from kbert.nn.folder import parse_json
from kbert.orphans import end_with
from kbert.preflight import check_writable
from kbert.settings import TrainSettings

FORMAT: Final = 1
PARTIAL: Final = "KBERT_PARTIAL"  # tells the processes that a run starts where it writes
_FIRST: Final = "KBERT_FIRST"  # and which process it is


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """Which graph a run was trained with; `path` is where it was, empty if it is of no place."""

    name: str
    fingerprint: str
    triples: int
    path: str = ""

    @classmethod
    def of(cls, store: TripleStore) -> GraphRecord:
        """Record a store."""
        place = Path(store.name) if store.path is None else store.path
        path = str(place.resolve()) if place.exists() else ""
        return cls(store.name, store.fingerprint, len(store), path)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run remembers beside its weights.

    `unit` says what a tagged word was, `policy` describes which facts of an entity were injected.
    """

    task: Form
    labels: tuple[str, ...]
    unit: Literal["word", "character"]
    graph: GraphRecord
    policy: str
    settings: TrainSettings
    versions: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write `run.json` and `config.yaml`."""
        content = {"format": FORMAT, **{k: getattr(self, k) for k in ("task", "labels", "unit")}}
        content |= {"graph": asdict(self.graph), "policy": self.policy}
        content |= {"settings": self.settings.to_mapping(), "versions": dict(self.versions)}
        write_json(folder / "run.json", content)
        seal(folder, ("run.json",))
        (folder / "config.yaml").write_text(self.settings.to_yaml(), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Read `run.json`. Raises `RunError` for a folder that is not a run, or a broken one."""
        if not folder.is_dir():
            raise RunError(f"{folder}: no such run folder")
        file = folder / "run.json"
        if not file.is_file():
            raise RunError(f"{folder}: not a run of kbert.train: it has no run.json")
        try:
            content = parse_json(read_bytes(file))
            if content["format"] != FORMAT:
                raise RunError(
                    f"{file}: format {content['format']} is not the format {FORMAT} of this version"
                )
            if content["task"] == "pretraining":
                raise RunError(
                    f"{folder}: a run of kbert.pretrain, which has no task yet; fine-tune it with"
                    f" python -m kbert.train --init {folder}"
                )
            if content["task"] == "kgbert":
                raise RunError(
                    f"{folder}: a run of kgbert.train, which judges triples; open it with"
                    " kgbert.TripleScorer"
                )
            record = cls(
                task=content["task"],
                labels=tuple(content["labels"]),
                unit=content["unit"],
                graph=GraphRecord(**content["graph"]),
                policy=content["policy"],
                settings=TrainSettings(**content["settings"]),
                versions=content["versions"],
            )
        except CheckpointError as error:
            raise RunError(str(error)) from None
        except (KeyError, IndexError) as error:
            raise RunError(f"{file}: damaged: {error} is missing") from None
        except (ValueError, TypeError, SettingsError) as error:
            raise RunError(f"{file}: damaged: {error}") from None
        if not record._consistent():
            raise RunError(
                f"{file}: damaged: task, labels, unit or policy are not what training writes"
            )
        return record

    def _consistent(self) -> bool:
        named = bool(self.labels) and all(isinstance(label, str) for label in self.labels)
        known = self.unit in ("word", "character") and isinstance(self.policy, str)
        return named and known and self.task == self.settings.task


def has_task(folder: Path) -> bool:
    """Say whether `folder` is a run of `kbert.train`, rather than a model without a task.

    A `run.json` that cannot be read counts; reading the run says what is wrong with it.
    """
    file = folder / "run.json"
    try:
        content = parse_json(read_bytes(file))
    except (CheckpointError, ValueError):
        return file.is_file()
    return not (isinstance(content, dict) and content.get("task") == "pretraining")


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse a run folder that is there already, or that cannot be made."""
    with _as_run_error(path):
        exists, is_run = path.exists(), (path / "run.json").is_file()
    if exists and not overwrite:
        raise RunError(f"{path}: exists already; choose another --output, or say --overwrite")
    if exists and not is_run:
        raise RunError(f"{path}: is not a run, so --overwrite does not replace it")
    check_writable(path)


@contextmanager
def new_run(
    path: Path, *, first: bool, overwrite: bool = False, resume: Path | None = None
) -> Iterator[Path]:
    """Yield a folder to write to; at the end it becomes `path`, after a failure it is gone.

    So are then the folders above it that were made for it. But one that holds a checkpoint stays,
    to be given back as `resume`. Processes of a distributed run share the folder: the `first`
    makes and renames it, and those that it starts meanwhile learn of it by an environment variable.

    Raises `RunError` as `check_output` does if `path` is there at the end and was not before, and
    if another process goes on with `resume`.
    """
    if not first:
        yield _shared_folder(path)
        return
    target = path.resolve()  # so that "." has a name too
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    partial = target.with_name(f"{target.name}.partial-{mark}") if resume is None else resume
    partial = partial.resolve()
    above = [folder for folder in target.parents if not folder.exists()]
    try:
        with _as_run_error(path):
            partial.mkdir(parents=True, exist_ok=resume is not None)
        with alone(partial), _shared(partial):
            yield partial
            check_output(path, overwrite=overwrite)
            with _as_run_error(path):
                _put_in_place(partial, target, old=target.with_name(f"{target.name}.old-{mark}"))
            checkpoints.clear(target)
    finally:
        if not checkpoints.has_checkpoint(partial):
            shutil.rmtree(partial, ignore_errors=True)
            _remove_empty(above)


def unfinished(path: Path) -> list[Path]:
    """List the folders beside `path` of runs that are going on, or that were killed."""
    target = path.resolve()
    starts = (f"{target.name}.partial-", f"{target.name}.old-")
    try:
        return sorted(file for file in target.parent.iterdir() if file.name.startswith(starts))
    except OSError:  # no such folder yet, or none that we may look into
        return []


@contextmanager
def _shared(partial: Path) -> Iterator[None]:
    told = {PARTIAL: str(partial), _FIRST: str(os.getpid())}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _shared_folder(path: Path) -> Path:
    if PARTIAL not in os.environ:
        raise RunError(
            f"{path}: this process was not started by the first one of its run; start that one"
            " alone, with --devices, and it starts the others"
        )
    first = int(os.environ.get(_FIRST, os.getpid()))
    if first != os.getpid():
        end_with(first)
    return Path(os.environ[PARTIAL])


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove those of the folders, the innermost first, that are there and hold nothing."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _put_in_place(partial: Path, path: Path, *, old: Path) -> None:
    """Give a run its name, when all of it has reached the disk; an older one goes afterwards.

    Raises `OSError`, and then the older one stands where it stood.
    """
    for file in partial.iterdir():
        if file.is_file():
            sync(file)
    sync(partial)
    if path.exists():
        path.rename(old)
        try:
            partial.rename(path)
        except OSError:
            old.rename(path)
            raise
    else:
        partial.rename(path)
    with suppress(OSError):  # it stands there, if perhaps not yet for good
        sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _as_run_error(path: Path) -> Iterator[None]:
    """Turn a refusal of the file system into a line for the user."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: cannot be made: {reason(error, at=path)}") from None


def write_report(folder: Path, *, metrics: Mapping[str, Any], card: str) -> None:
    """Write `metrics.json` and the model card."""
    write_json(folder / "metrics.json", metrics)
    (folder / "README.md").write_text(card, encoding="utf-8")


def write_json(file: Path, content: Any) -> None:
    """Write JSON as people read it. Raises `ValueError` for a number that JSON does not have."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    file.write_text(text + "\n", encoding="utf-8")
