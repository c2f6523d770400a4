"""From a folder or a graph to `KnowledgeData`: what is missing settled, what is odd counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import graphs
from graphs.splits import Split, Splits, random_split
from graphs.store import TripleStore
from kbert.errors import DataError
from kgbert import graph_texts
from kgbert.dataset import Ids, KnowledgeData, fingerprint
from kgbert.oddities import Labelled, oddities
from kgbert.text_files import find_file, read_ids
from kgbert.texts import (
    OnMissing,
    Settled,
    TextMode,
    Texts,
    Wording,
    folder_wording,
    relation_wording,
    settle,
)


def read_folder(
    folder: Path, *, name: str, texts: TextMode, on_missing: OnMissing
) -> KnowledgeData:
    """Read a KG-BERT folder; entities of `entities.txt` are candidates even without a triple.

    Raises `DataError` and `graphs.GraphError`.
    """
    splits = Splits.open(folder, texts={})
    wordings = folder_wording(folder, mode=texts), relation_wording(folder)
    ids, notes = _listed(folder, splits)
    unused = len(wordings[0].texts.keys() - set(ids.entities))
    if unused:
        notes.append(f"{wordings[0].source}: {unused:,} texts are of no entity in the triples")
    return _built(
        splits, ids=ids, wordings=wordings, notes=notes,
        name=name, path=folder, on_missing=on_missing,
    )  # fmt: skip


def read_graph(
    source: str | Path,
    *,
    texts: TextMode,
    on_missing: OnMissing,
    shares: tuple[float, float],
    seed: int,
    languages: Sequence[str],
) -> KnowledgeData:
    """Read a graph of `graphs` and divide it by chance. Raises `DataError`, `graphs.GraphError`."""
    notes: list[str] = []
    store = graphs.load(source, languages=languages, announce=notes.append)
    data = divide_graph(store, texts=texts, on_missing=on_missing, shares=shares, seed=seed)
    path = source if isinstance(source, Path) else None
    return replace(data, path=path, notes=(*notes, *data.notes))


def divide_graph(
    store: TripleStore,
    *,
    texts: TextMode,
    on_missing: OnMissing,
    shares: tuple[float, float],
    seed: int,
) -> KnowledgeData:
    """Divide a graph by chance; it is of no place. Raises `DataError` and `graphs.GraphError`."""
    facts, left_out = graph_texts.learnable(store)
    splits = random_split(facts, dev=shares[0], test=shares[1], seed=seed)
    wordings = (
        graph_texts.entity_wording(store, splits.entities, mode=texts),
        graph_texts.relation_wording(store, splits.relations),
    )
    return _built(
        splits,
        ids=Ids(splits.entities, splits.relations),
        wordings=wordings,
        notes=left_out,
        name=store.name,
        path=None,
        on_missing=on_missing,
    )


def _listed(folder: Path, splits: Splits) -> tuple[Ids, list[str]]:
    """Return the ids of the triples and, after them, those that the folder's lists have besides."""
    entities, notes = _with_listed(folder, splits.entities, what="entities")
    relations, further = _with_listed(folder, splits.relations, what="relations")
    return Ids(entities, relations), [*notes, *further]


def _with_listed(
    folder: Path, known: tuple[str, ...], *, what: str
) -> tuple[tuple[str, ...], list[str]]:
    path = find_file(folder, (f"{what}.txt",))
    if path is None:
        return known, []
    listed = read_ids(path)
    in_triples = frozenset(known)
    further = tuple(key for key in listed if key not in in_triples)
    absent, notes = len(in_triples.difference(listed)), []
    if further:
        notes.append(f"{path}: {len(further):,} {what} are in no triple, and candidates")
    if absent:
        notes.append(f"{path}: lacks {absent:,} {what} of the triples, which are candidates")
    return (*known, *further), notes


def _built(
    splits: Splits,
    *,
    ids: Ids,
    wordings: tuple[Wording, Wording],
    notes: Sequence[str],
    name: str,
    path: Path | None,
    on_missing: OnMissing,
) -> KnowledgeData:
    """Put the parts together, and leave out what has no text and is to be skipped."""
    entities = settle(ids.entities, wordings[0], what="entities", on_missing=on_missing)
    relations = settle(ids.relations, wordings[1], what="relations", on_missing=on_missing)
    parts, left_out = _parts(splits, entities, relations)
    kept = Ids(_with_text(ids.entities, entities), _with_text(ids.relations, relations))
    texts = Texts(
        entities=_with_text(entities.texts, entities),
        relations=_with_text(relations.texts, relations),
    )
    odd = oddities(
        parts, trained_on="train", entities=len(kept.entities), relations=len(kept.relations)
    )
    said = *notes, *entities.notes, *relations.notes, *left_out, *odd
    train, valid, test = parts.values()
    arrays = [array for part in (train, valid, test) for array in part]
    return KnowledgeData(
        name=name, path=path, entities=kept.entities, relations=kept.relations,
        train=train.triples, valid=valid.triples, test=test.triples,
        train_labels=train.labels, valid_labels=valid.labels, test_labels=test.labels,
        texts=texts, fingerprint=fingerprint(kept, texts, arrays), notes=said,
    )  # fmt: skip


def _parts(
    splits: Splits, entities: Settled, relations: Settled
) -> tuple[dict[str, Labelled], list[str]]:
    """Return the triples that have texts, and say how many have none. Raises `DataError`."""
    numbers = _renumbered(entities), _renumbered(relations)
    sources = {"train": splits.train, "valid": splits.dev, "test": splits.test}
    parts = {part: _kept(split, numbers) for part, split in sources.items()}
    if not len(parts["train"].triples):
        raise DataError("no triples to train on", file=splits.name)
    skipped = sum(len(sources[part]) - len(parts[part].triples) for part in parts)
    return parts, [f"{skipped:,} triples left out, of which a part has no text"] if skipped else []


def _with_text(each: Sequence[str], settled: Settled) -> tuple[str, ...]:
    return tuple(key for key, text in zip(each, settled.texts, strict=True) if text)


def _renumbered(settled: Settled) -> NDArray[np.int32]:
    """Return the new number of each id, -1 for one that is left out."""
    has_text = np.array([bool(text) for text in settled.texts], dtype=np.bool_)
    return np.where(has_text, np.cumsum(has_text) - 1, -1).astype(np.int32)


def _kept(split: Split, numbers: tuple[NDArray[np.int32], NDArray[np.int32]]) -> Labelled:
    """Return the triples with new numbers, without those that have none, and their labels."""
    entities, relations = numbers
    heads, links, tails = split.rows
    triples = np.stack([entities[heads], relations[links], entities[tails]], axis=1)
    kept: NDArray[np.bool_] = np.all(triples >= 0, axis=1)
    labels = None if split.labels is None else (split.labels[kept] > 0).astype(np.int8)
    return Labelled(np.ascontiguousarray(triples[kept]), labels)
