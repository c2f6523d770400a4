"""Run folders over a small data set, as training writes them, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kbert.tokenizer import Tokenizer
from kgbert.dataset import KnowledgeData
from kgbert.record import DataRecord, RunRecord
from kgbert.run import LABELS, load_dataset, write_texts
from kgbert.settings import KnowledgeTrainSettings
from kgbert.stored_thresholds import StoredThresholds
from kgbert.thresholds import Thresholds
from tests.kgbert.scoring import network

ENTITIES = 12
RELATIONS = ("is near", "lives in", "part of")


def write_data(folder: Path, *, labelled: bool = False, triples: int = 60, seed: int = 0) -> Path:
    """Write a KG-BERT folder of 12 entities, two of which share their text."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    every = [(h, r, t) for h in range(ENTITIES) for r in range(3) for t in range(ENTITIES)]
    drawn = [every[i] for i in generator.permutation(len(every))[:triples]]
    for name, rows in (("train", drawn[:-20]), ("dev", drawn[-20:-12]), ("test", drawn[-12:])):
        lines = [f"e{h}\tr{r}\te{t}" for h, r, t in rows]
        if labelled and name != "train":
            lines = [f"{line}\t{1 if i % 2 else -1}" for i, line in enumerate(lines)]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = [f"place number {i if i else 1}" for i in range(ENTITIES)]
    names = [
        f"{name} of the old and long street" if i % 3 else name for i, name in enumerate(names)
    ]
    texts = "".join(f"e{i}\t{name}\n" for i, name in enumerate(names))
    (folder / "entity2text.txt").write_text(texts, encoding="utf-8")
    texts = "".join(f"r{i}\t{name}\n" for i, name in enumerate(RELATIONS))
    (folder / "relation2text.txt").write_text(texts, encoding="utf-8")
    return folder


def write_run(
    folder: Path,
    data: Path,
    *,
    thresholds: Thresholds | None = None,
    seed: int = 0,
    **settings: Any,
) -> KnowledgeData:
    """Write a run over a data folder with a network of random weights; return its data."""
    chosen = KnowledgeTrainSettings(dataset=str(data), **settings)
    loaded = load_dataset(chosen)
    tokenizer = Tokenizer.train(
        [*loaded.texts.entities, *loaded.texts.relations] * 3, lowercase=True
    )
    labels = loaded.relations if chosen.form == "pair" else LABELS
    folder.mkdir()
    made = network(vocabulary=len(tokenizer), labels=len(labels), seed=seed)
    made.save(folder, labels=labels)
    tokenizer.save(folder)
    record = DataRecord.of(loaded, used=len(loaded.train))
    RunRecord(chosen.task, labels, record, "not trained", chosen, {"x": "1"}).write(folder)
    write_texts(folder, loaded)
    if thresholds is not None:
        StoredThresholds("difference", 8, "given", thresholds).write(folder)
    return loaded
