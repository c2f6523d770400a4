"""Gather the names that text is searched for, with the entities that bear them.

From any list of names; from a graph, those of its entities with facts; or mapped from the folder of
a compiled graph, where they were written. Names are brought into a normal form, and those of too
few characters are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.bearers import ALIAS, Names
from graphs.compiled.folder import Folder
from graphs.compiled.sealing import FolderWriter
from graphs.content import Content
from graphs.groups import Groups
from graphs.name_trie import Bearer, NameTrie, Reach
from graphs.normal import NormalForm
from graphs.strings import MemoryStrings, Strings

MIN_LENGTH = 2

_CHUNK = 1 << 14


class KnownNames(NamedTuple):
    """Names to be searched for: the trie, and the entities by number.

    `names` are there where entities have names apart from their strings; `heads` (F,) are the
    entities whose names these are; `mapped` says that the trie stands in a compiled graph's folder.
    """

    trie: NameTrie
    entities: Strings
    names: Names | None
    heads: NDArray[np.int32]
    mapped: bool = False

    @property
    def named(self) -> bool:
        """Say whether entities have names apart from their strings."""
        return self.names is not None

    def is_spelt(self, entity: int, text: str) -> bool:
        """Say whether `text` is a name of the entity just as it stands."""
        if self.names is None:
            return self.entities[entity] == text
        return text in self.names.get(entity)

    def has_spelling(self, text: str) -> bool:
        """Say whether any entity has a name that is just `text`."""
        return text in (self.entities if self.names is None else self.names.strings)

    def count(self, only: NDArray[np.bool_] | None) -> int:
        """Return how many names the entities have, those left out as well."""
        heads = self.heads if only is None else self.heads[only[self.heads]]
        if self.names is None:
            return len(heads)
        offsets = self.names.of_entity.offsets
        return int((offsets[heads + 1] - offsets[heads]).sum())


def of_names(names: Sequence[str], *, form: NormalForm, min_length: int) -> KnownNames:
    """Gather `names`; each is its own entity, and among equal ones in `form` the first leads."""
    entities = MemoryStrings.of(names)
    heads = np.arange(len(entities), dtype=np.int32)
    return _build(entities, heads, None, standing=None, form=form, min_length=min_length)


def of_content(
    content: Content, *, folder: Folder | None, form: NormalForm, min_length: int
) -> KnownNames:
    """Gather the names of a graph's heads: mapped if its folder has them so, else built."""
    if (
        folder is not None
        and min_length >= MIN_LENGTH
        and _label(form) in folder.manifest["mentions"]
    ):
        trie = _map(folder, label=_label(form))
        return KnownNames(trie, content.entities, content.names, content.heads, mapped=True)
    names = content.names
    return _build(
        content.entities,
        content.heads,
        names,
        standing=-np.diff(content.facts.offsets) if names is None else names.standing,
        form=form,
        min_length=min_length,
    )


def write(content: Content, writer: FolderWriter, *, form: NormalForm) -> dict[str, Any]:
    """Write the names of a graph's heads in `form`; return what the manifest must know of them."""
    trie = of_content(content, folder=None, form=form, min_length=MIN_LENGTH).trie
    label = _label(form)
    writer.write(f"{label}.marisa", trie.to_array())
    writer.write(f"{label}.reach", trie.reach.table)
    writer.write(f"{label}.lengths", trie.lengths)
    writer.write(f"{label}.offsets", trie.entities.offsets)
    writer.write(f"{label}.values", trie.entities.values)
    return {label: {"widths": list(trie.reach.widths), "longest": trie.longest}}


def _label(form: NormalForm) -> str:
    parts = [part for part, wanted in zip(("fold", "nfkc"), form, strict=True) if wanted]
    return "-".join(["mentions", *parts])


def _map(folder: Folder, *, label: str) -> NameTrie:
    about = folder.manifest["mentions"][label]
    lengths = folder.array(f"{label}.lengths", dtype="|u1", shape=(None,))
    reach = folder.array(f"{label}.reach", dtype="|u1", shape=(None,))
    return NameTrie.map(
        folder.data / f"{label}.marisa",
        folder.array(f"{label}.marisa", dtype="|u1", shape=(None,)),
        reach=Reach(reach, widths=about["widths"]),
        entities=Groups(
            folder.array(f"{label}.offsets", dtype="<i8", shape=(len(lengths) + 1,)),
            folder.array(f"{label}.values", dtype="<i4", shape=(None,)),
        ),
        lengths=lengths,
        longest=about["longest"],
    )


def _build(
    entities: Strings,
    heads: NDArray[np.int32],
    names: Names | None,
    *,
    standing: NDArray[np.int64] | None,
    form: NormalForm,
    min_length: int,
) -> KnownNames:
    """Build the trie; of a name, first who prefer it, then with more facts, then the source."""
    heads = np.sort(heads)

    def bearers() -> Iterator[Bearer]:
        for start in range(0, len(heads), _CHUNK):
            chunk = heads[start : start + _CHUNK]
            ranks = [0] * len(chunk) if standing is None else standing[chunk].tolist()
            called = entities.take(chunk.tolist())
            for name, entity, rank in zip(called, chunk.tolist(), ranks, strict=True):
                own = (name,) if names is None else names.get(entity)
                for place, key in enumerate(map(form.apply, own)):
                    if len(key) >= min_length:
                        yield Bearer(key, entity, rank if place == 0 else rank + ALIAS)

    return KnownNames(NameTrie.build(bearers), entities, names, heads)
