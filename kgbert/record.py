"""What a run of `kgbert.train` remembers beside its weights: `run.json` and `config.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path
from typing import Any, Final, get_args

from kbert.errors import CheckpointError, RunError, SettingsError
from kbert.nn.checksums import read_bytes, seal
from kbert.nn.folder import parse_json
from kbert.run import write_json
from kgbert.dataset import PARTS, KnowledgeData
from kgbert.settings import KnowledgeTrainSettings, Task

FORMAT: Final = 1
KIND: Final = "kgbert"
RUN: Final = "run.json"
CONFIG: Final = "config.yaml"


@dataclass(frozen=True, slots=True)
class DataRecord:
    """Which data set a run was trained on; `path` is where it was, empty if it is of no place.

    `train`, `valid` and `test` count triples, `used` those of train that were learnt.
    """

    name: str
    path: str
    fingerprint: str
    entities: int
    relations: int
    train: int
    valid: int
    test: int
    used: int

    @classmethod
    def of(cls, data: KnowledgeData, *, used: int) -> DataRecord:
        """Record a data set."""
        return cls(
            name=data.name,
            path="" if data.path is None else str(data.path.resolve()),
            fingerprint=data.fingerprint,
            entities=len(data.entities),
            relations=len(data.relations),
            **{part: len(data.triples(part)) for part in PARTS},
            used=used,
        )


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run remembers beside its weights.

    `labels` are the network's: false and true, or the ids of relations. `protocol` says in a line
    how the weights were chosen and measured.
    """

    task: Task
    labels: tuple[str, ...]
    data: DataRecord
    protocol: str
    settings: KnowledgeTrainSettings
    versions: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write `run.json` and `config.yaml`."""
        content = {"format": FORMAT, "task": KIND, "kgbert_task": self.task}
        content |= {"labels": self.labels, "data": asdict(self.data), "protocol": self.protocol}
        content |= {"settings": self.settings.to_mapping(), "versions": dict(self.versions)}
        write_json(folder / RUN, content)
        seal(folder, (RUN,))
        (folder / CONFIG).write_text(self.settings.to_yaml(), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """Read `run.json`. Raises `RunError` for a folder that is no such run, or a broken one."""
        if not folder.is_dir():
            raise RunError(f"{folder}: no such run folder{unfinished(folder)}")
        file = folder / RUN
        if not file.is_file():
            raise RunError(f"{folder}: not a run of kgbert.train: it has no {RUN}")
        content = read_json(file)
        if content.get("task") != KIND:
            raise RunError(f"{folder}: not a run of kgbert.train, but of another command")
        if content.get("format") != FORMAT:
            raise RunError(
                f"{file}: format {content.get('format')} is not the format {FORMAT} of this version"
            )
        try:
            record = cls(
                task=content["kgbert_task"],
                labels=tuple(content["labels"]),
                data=DataRecord(**content["data"]),
                protocol=content["protocol"],
                settings=KnowledgeTrainSettings(**content["settings"]),
                versions=content["versions"],
            )
        except KeyError as error:
            raise RunError(f"{file}: damaged: {error} is missing") from None
        except (ValueError, TypeError, SettingsError) as error:
            raise RunError(f"{file}: damaged: {error}") from None
        if record.task not in get_args(Task) or record.task != record.settings.task:
            raise RunError(f"{file}: damaged: its task is not what training writes")
        if not all(isinstance(label, str) for label in record.labels):
            raise RunError(f"{file}: damaged: a label is no text")
        return record


def unfinished(folder: Path) -> str:
    """Say where the training of a run that is not there yet stands, if it does."""
    begun = sorted(folder.parent.glob(f"{escape(folder.name)}.partial-*"))
    if not begun:
        return ""
    return (
        f"; its training has not ended: python -m kgbert.train --resume {begun[-1]} goes on with it"
    )


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object of a run folder. Raises `RunError`."""
    try:
        content = parse_json(read_bytes(file))
    except CheckpointError as error:
        raise RunError(str(error)) from None
    except ValueError as error:
        raise RunError(f"{file}: damaged: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{file}: damaged: not an object")
    return content
