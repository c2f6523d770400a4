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
            return cls(
                task=content["task"],
                labels=tuple(content["labels"]),
                unit=content["unit"],
                graph=GraphRecord(**content["graph"]),
                settings=TrainSettings(**content["settings"]),
                versions=content["versions"],
            )
        except (ValueError, KeyError, TypeError, SettingsError) as error:
            raise RunError(f"{file}: damaged: {error}") from None


def make_injector(settings: TrainSettings, store: TripleStore, tokenizer: Tokenizer) -> Injector:
    """Build the injector that settings describe; training and prediction share it."""
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
    if path.exists() and not overwrite:
        raise RunError(f"{path}: exists already; choose another --output, or say --overwrite")
    if path.exists() and not (path.is_dir() and (path / "run.json").is_file()):
        raise RunError(f"{path}: is not a run, so --overwrite does not replace it")
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"{path}: cannot be made: {parent} is not a folder that can be written to")


@contextmanager
def new_run(path: Path, *, first: bool) -> Iterator[Path]:
    """Yield a folder to write to; at the end it becomes `path`, after a failure it is gone.

    Processes of a distributed run share the folder; only the `first` makes and renames it.
    """
    partial = path.with_name(path.name + ".partial")
    if first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    try:
        yield partial
        if first:
            if path.exists():
                old = path.with_name(path.name + ".old")
                path.rename(old)
                partial.rename(path)
                shutil.rmtree(old)
            else:
                partial.rename(path)
    finally:
        if first:
            shutil.rmtree(partial, ignore_errors=True)


def write_json(file: Path, content: Any) -> None:
    """Write JSON as people read it."""
    text = json.dumps(content, ensure_ascii=False, indent=2)
    file.write_text(text + "\n", encoding="utf-8")
