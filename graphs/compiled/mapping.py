"""Map the graph of a compiled folder: the arrays of `graphs.content`, without reading them.

What stands in the folder, `graphs.compiled.compiler` writes: two string tables (`entities`,
`relations`), the triples in source order (`rows`), by head (`facts`) and by tail (`incoming`), the
entities with facts (`heads`); of a graph with names their table (`names`), whose they are, and the
names of relations; with more than one source, which of them each triple comes from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphs.bearers import Names
from graphs.compiled.folder import Folder
from graphs.content import About, Content, Grouped, Source
from graphs.groups import Groups
from graphs.interning import heap_shapes
from graphs.strings import Heap, HeapStrings, MemoryStrings, Strings

_FEW = 1 << 12


def read(folder: Folder, *, name: str) -> Content:
    """Return the content of an opened folder; it is mapped, but for the names of few relations.

    Raises `GraphError` where an array is missing, or not of the dtype and shape that it must have.
    """
    manifest = folder.manifest
    about = About(
        name=name,
        duplicates=manifest["duplicates"],
        skipped=manifest["skipped"],
        sources=tuple(Source(**source) for source in manifest["sources"]),
    )
    relations: Strings = _strings(folder, "relations", count=manifest["relations"])
    if len(relations) <= _FEW:
        relations = MemoryStrings.of(relations)
    return Content(
        about=about,
        entities=_strings(folder, "entities", count=manifest["entities"]),
        relations=relations,
        rows=folder.array("rows", dtype="<i4", shape=(3, manifest["triples"])),
        facts=_grouped(folder, "facts"),
        incoming=_grouped(folder, "incoming"),
        heads=folder.array("heads", dtype="<i4", shape=(None,)),
        origins=_origins(folder),
        names=_names(folder) if manifest["named"] else None,
        relation_names=_relation_names(folder) if manifest["named"] else (),
    )


def _strings(folder: Folder, name: str, *, count: int | None = None) -> HeapStrings:
    """Return a string table, of `count` strings if that is known."""
    if count is None:
        count = len(folder.array(f"{name}.numbers", dtype="<i4", shape=(None,)))
    arrays = []
    for part, (shape, dtype) in heap_shapes(count, 0).items():
        wanted = (None,) if part == "heap" else shape
        arrays.append(folder.array(f"{name}.{part}", dtype=dtype, shape=wanted))
    return HeapStrings(Heap(*arrays), heap=folder.mapped(f"{name}.heap"))


def _grouped(folder: Folder, name: str) -> Grouped:
    rows = (folder.manifest["triples"],)
    return Grouped(
        folder.array(f"{name}.offsets", dtype="<i8", shape=(folder.manifest["entities"] + 1,)),
        folder.array(f"{name}.relations", dtype="<i4", shape=rows),
        folder.array(f"{name}.others", dtype="<i4", shape=rows),
    )


def _origins(folder: Folder) -> NDArray[np.uint16] | None:
    if "sources" not in folder:
        return None
    return folder.array("sources", dtype="<u2", shape=(folder.manifest["triples"],))


def _names(folder: Folder) -> Names:
    strings = _strings(folder, "names")
    of_entity, entities = (
        Groups(
            folder.array(f"{name}.offsets", dtype="<i8", shape=(count + 1,)),
            folder.array(f"{name}.values", dtype="<i4", shape=(None,)),
        )
        for name, count in (
            ("names.of_entity", folder.manifest["entities"]),
            ("names.entities", len(strings)),
        )
    )
    languages = tuple(folder.manifest["languages"])
    return Names(
        strings,
        of_entity=of_entity,
        entities=entities,
        standing=folder.array("names.standing", dtype="<i8", shape=(folder.manifest["entities"],)),
        languages=languages,
    )


def _relation_names(folder: Folder) -> Sequence[str]:
    """Return a name for each relation; several may have the same."""
    shape = (folder.manifest["relations"],)
    numbers = folder.array("relation_names.ids", dtype="<i4", shape=shape)
    return _strings(folder, "relation_names").take(numbers.tolist())
