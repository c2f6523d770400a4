"""A run folder: a model that `transformers` can read, and what training knew.

    config.json model.safetensors vocab.txt tokenizer.json tokenizer_config.json   the model
    run.json       task, labels, the graph with its fingerprint, settings, versions
    config.yaml    the settings again, as a recipe for `--config`
    metrics.json   figures of the run           README.md   its model card

The folder appears whole or not at all: training writes beside it and renames at the end.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from graphs import MentionIndex, TripleStore, selection
from kbert.columns import Task
from kbert.errors import RunError, SettingsError
from kbert.inject import Injector
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """Which graph a run was trained with."""

    name: str
    fingerprint: str
    triples: int

    @classmethod
    def of(cls, store: TripleStore) -> GraphRecord:
        """Record a store."""
        return cls(store.name, store.fingerprint, len(store))


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run remembers beside its weights; `unit` says what a tagged word was."""

    task: Task
    labels: tuple[str, ...]
    unit: Literal["word", "character"]
    graph: GraphRecord
    settings: TrainSettings
    versions: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write `run.json` and `config.yaml`."""
        content = {"format": FORMAT, **{k: getattr(self, k) for k in ("task", "labels", "unit")}}
        content |= {"graph": asdict(self.graph), "settings": self.settings.to_mapping()}
        content["versions"] = dict(self.versions)
        write_json(folder / "run.json", content)
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
            content = json.loads(file.read_bytes())
            if content["format"] != FORMAT:
                raise RunError(
                    f"{file}: format {content['format']} is not the format {FORMAT} of this version"
                )
            record = cls(
                task=content["task"],
                labels=tuple(content["labels"]),
                unit=content["unit"],
                graph=GraphRecord(**content["graph"]),
                settings=TrainSettings(**content["settings"]),
                versions=content["versions"],
            )
        except OSError as error:
            raise RunError(f"{file}: cannot be read: {error.strerror}") from None
        except (KeyError, IndexError) as error:
            raise RunError(f"{file}: damaged: {error} is missing") from None
        except (ValueError, TypeError, RecursionError, SettingsError) as error:
            raise RunError(f"{file}: damaged: {error}") from None
        if not record._consistent():
            raise RunError(f"{file}: damaged: task, labels or unit are not what training writes")
        return record

    def _consistent(self) -> bool:
        named = bool(self.labels) and all(isinstance(label, str) for label in self.labels)
        return named and self.task == self.settings.task and self.unit in ("word", "character")


def make_injector(settings: TrainSettings, store: TripleStore, tokenizer: Tokenizer) -> Injector:
    """Build the injector that settings describe; training and prediction share it.

    Raises `GraphError` for a relation that the graph does not have.
    """
    return Injector(
        store,
        tokenizer,
        max_facts=settings.max_facts,
        max_length=settings.max_length,
        max_branches=settings.max_branches,
        policy=selection.make(
            settings.selection,
            store,
            allow=settings.allow_relations,
            deny=settings.deny_relations,
        ),
        index=MentionIndex(
            store,
            min_length=settings.min_name_length,
            stop_names=settings.stop_names,
            case_fold=settings.fold_case,
            nfkc=settings.nfkc,
        ),
        relation_text=settings.relation_text,
    )


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse a run folder that is there already, or that cannot be made."""
    with _as_run_error(path):
        exists, is_run = path.exists(), (path / "run.json").is_file()
        parent = next(folder for folder in path.resolve().parents if folder.exists())
    if exists and not overwrite:
        raise RunError(f"{path}: exists already; choose another --output, or say --overwrite")
    if exists and not is_run:
        raise RunError(f"{path}: is not a run, so --overwrite does not replace it")
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"{path}: cannot be made: {parent} is not a folder that can be written to")


@contextmanager
def new_run(path: Path, *, first: bool) -> Iterator[Path]:
    """Yield a folder to write to; at the end it becomes `path`, after a failure it is gone.

    Processes of a distributed run share the folder; only the `first` makes and renames it.
    """
    path = path.resolve()  # so that "." has a name too
    partial = path.with_name(path.name + ".partial")
    if first:
        shutil.rmtree(partial, ignore_errors=True)
        with _as_run_error(path):
            partial.mkdir(parents=True)
    try:
        yield partial
        if first:
            with _as_run_error(path):
                _put_in_place(partial, path)
    finally:
        if first:
            shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, path: Path) -> None:
    if not path.exists():
        partial.rename(path)
        return
    old = path.with_name(path.name + ".old")
    shutil.rmtree(old, ignore_errors=True)  # of a process that was killed between these lines
    path.rename(old)
    partial.rename(path)
    shutil.rmtree(old)


@contextmanager
def _as_run_error(path: Path) -> Iterator[None]:
    """Turn a refusal of the file system into a line for the user."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: cannot be made: {error.strerror}") from None


def write_report(folder: Path, *, metrics: Mapping[str, Any], card: str) -> None:
    """Write `metrics.json` and the model card."""
    write_json(folder / "metrics.json", metrics)
    (folder / "README.md").write_text(card, encoding="utf-8")


def write_json(file: Path, content: Any) -> None:
    """Write JSON as people read it."""
    text = json.dumps(content, ensure_ascii=False, indent=2)
    file.write_text(text + "\n", encoding="utf-8")
