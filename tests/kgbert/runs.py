"""Small run folders over the packaged sample, with weights that were drawn and not learnt."""

from __future__ import annotations

from pathlib import Path

from kbert.tokenizer import Tokenizer
from kgbert.data import load_data
from kgbert.record import DataRecord, RunRecord
from kgbert.run import LABELS, write_texts
from kgbert.settings import KnowledgeTrainSettings, Task
from kgbert.stored_thresholds import StoredThresholds
from kgbert.thresholds import Thresholds
from tests.kgbert.scoring import network

DATA = load_data("sample")


def write_run(
    folder: Path, *, task: Task = "link-prediction", thresholds: Thresholds | None = None
) -> Path:
    """Write a run as training does; thresholds are those of differences."""
    folder.mkdir()
    labels = DATA.relations if task == "relation-prediction" else LABELS
    tokenizer = Tokenizer.train(
        [*DATA.texts.entities, *DATA.texts.relations, "abcdefghijklmnopqrstuvwxyz"], vocab_size=300
    )
    network(vocabulary=len(tokenizer), labels=len(labels)).save(folder, labels=labels)
    tokenizer.save(folder)
    settings = KnowledgeTrainSettings(task=task, max_length=20)
    data = DataRecord.of(DATA, used=len(DATA.train))
    RunRecord(task, tuple(labels), data, "a line", settings, {}).write(folder)
    write_texts(folder, DATA)
    if thresholds is not None:
        StoredThresholds("difference", 9, "drawn", thresholds).write(folder)
    return folder
