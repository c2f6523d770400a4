"""What a data set for KG-BERT holds: triples as numbers, in train, valid and test, with texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from graphs.errors import suggestion
from graphs.filters import FilterIndex
from kbert.errors import SettingsError
from kgbert.texts import Texts

Part = Literal["train", "valid", "test"]

PARTS: Final[tuple[Part, ...]] = get_args(Part)


class Ids(NamedTuple):
    """The ids of entities and relations, in the order of their numbers."""

    entities: tuple[str, ...]
    relations: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class KnowledgeData:
    """Hold the triples of a data set over one numbering, and their texts; made by `kgbert.data`.

    Triples are int32 (n, 3): head, relation, tail; labels are int8 (n,), 1 for true and 0 for
    false, or None where all triples of the part are true. `entities` and `relations` are ids;
    entities without any triple are candidates all the same. `fingerprint` is a SHA-256 of all of
    this but name, path and `notes`, which say what a user should know, one line each.
    """

    name: str
    path: Path | None
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    train: NDArray[np.int32]
    valid: NDArray[np.int32]
    test: NDArray[np.int32]
    train_labels: NDArray[np.int8] | None = None
    valid_labels: NDArray[np.int8] | None = None
    test_labels: NDArray[np.int8] | None = None
    texts: Texts
    fingerprint: str
    notes: tuple[str, ...] = ()

    def triples(self, part: Part) -> NDArray[np.int32]:
        """Return all triples (n, 3) of a part. Raises `SettingsError` for another name."""
        found: NDArray[np.int32] = getattr(self, _part(part))
        return found

    def labels(self, part: Part) -> NDArray[np.int8] | None:
        """Return the labels (n,) of a part, if it has any. Raises `SettingsError`."""
        found: NDArray[np.int8] | None = getattr(self, f"{_part(part)}_labels")
        return found

    def positives(self, part: Part) -> NDArray[np.int32]:
        """Return the triples (n, 3) of a part that are true. Raises `SettingsError`."""
        labels = self.labels(part)
        return self.triples(part) if labels is None else self.triples(part)[labels == 1]

    def filter(self, *parts: Part) -> FilterIndex:
        """Index what `parts` (at least one) state as true. Raises `SettingsError`."""
        if not parts:
            raise SettingsError(f"filter by which parts? Name some of {', '.join(PARTS)}")
        rows = np.concatenate([self.positives(part) for part in parts]).T
        return FilterIndex(rows, entities=len(self.entities), relations=len(self.relations))

    def __repr__(self) -> str:
        """Show the name and the sizes."""
        sizes = "/".join(str(len(self.triples(part))) for part in PARTS)
        return (
            f"KnowledgeData({self.name!r}: {sizes} triples, {len(self.entities)} entities, "
            f"{len(self.relations)} relations)"
        )


def fingerprint(
    ids: Ids,
    texts: Texts,
    arrays: Sequence[NDArray[np.generic] | None],
) -> str:
    """Return the SHA-256 (hexadecimal) of ids, texts and arrays, the same on every machine."""
    digest = hashlib.sha256()
    strings = [*ids, texts.entities, texts.relations]
    digest.update(json.dumps([list(each) for each in strings]).encode())
    for array in arrays:
        digest.update(b"|" if array is None else f"|{array.shape}".encode())
        if array is not None:
            digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _part(part: str) -> str:
    if part not in PARTS:
        raise SettingsError(
            f"no part {part!r}; known are {', '.join(PARTS)}{suggestion(part, PARTS)}"
        )
    return part
