"""The texts that the small encoders of `benchmarks.pretraining_runs` are pre-trained on.

English: `text/en` of the data sets. Chinese: `text/zh`, and the sentences of the training sets of
the tasks that it is then tried on, without their labels. Sentences of dev and test sets are not
read. As it is common, the encoder has so seen the unlabelled training sentences before fine-tuning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.data import part_of

SENTENCES: Final = "train_sentences.txt"
_TEXTS: Final = ("zh/chnsenticorp", "zh/book_review")
_TAGGED: Final = ("zh/medical_ner", "zh/msra_ner")
_TOGETHER: Final = 20


def sources(language: str, data: Path, scratch: Path) -> tuple[str, ...]:
    """Name files and folders of texts; `scratch` takes what is put together. Raises `DataError`."""
    texts = str(part_of(data, f"text/{language}"))
    if language == "en":
        return (texts,)
    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / SENTENCES
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(_sentences(data))
    return (texts, str(file))


def _sentences(data: Path) -> Iterator[str]:
    """Yield lines, with an empty one after each document.

    A review is a document. Neighbours in a tagging set often come from one text, so twenty of them
    are a document.
    """
    count = 0
    for name in _TEXTS:
        for cells in _rows(part_of(data, f"{name}/train.tsv")):
            yield f"{cells[1]}\n\n"
            count += 1
    for name in _TAGGED:
        for cells in _rows(part_of(data, f"{name}/train.tsv")):
            yield cells[0].replace(" ", "") + "\n"
            count += 1
            if count % _TOGETHER == 0:
                yield "\n"
    yield "\n"
    with part_of(data, "zh/cluener/train.json").open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)["text"] + "\n\n"


def _rows(file: Path) -> Iterator[list[str]]:
    """Yield the two cells of each line after the header."""
    with file.open(encoding="utf-8") as stream:
        next(stream)
        for line in stream:
            yield line.rstrip("\n").split("\t", 1)
