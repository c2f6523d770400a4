"""The stages of compiling a graph, from sources to a sealed folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs import bearers, folders, known_names, names
from graphs.bearers import Names
from graphs.compiled import placing
from graphs.compiled.intake import Taken, sha256, source_file, take_in
from graphs.compiled.sealing import FolderWriter
from graphs.content import About, Content, Grouped, fingerprint, in_order
from graphs.interning import DiskInterner, DiskNumbers, heap_shapes
from graphs.languages import no_text_in
from graphs.names import Graph
from graphs.normal import NormalForm
from graphs.progress import Progress
from graphs.readers import OnError, is_rdf
from graphs.relation_names import relation_names
from graphs.strings import Heap, HeapStrings, MemoryStrings


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be built; equal plans and equal sources give equal folders."""

    sources: tuple[Path, ...]
    aliases: tuple[Path, ...]
    languages: tuple[str, ...]
    forms: tuple[NormalForm, ...]
    on_error: OnError
    name: str

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, but for the sources, which have hashes."""
        return {
            "aliases": [{"path": str(path), "sha256": sha256(path)} for path in self.aliases],
            "languages": list(self.languages),
            "forms": [form._asdict() for form in self.forms],
            "on_error": self.on_error,
            "name": self.name,
        }


class Compiler:
    """Carry out a plan in a scratch folder; the result stands in its folder `result`."""

    def __init__(
        self,
        plan: Plan,
        scratch: Path,
        *,
        announce: Callable[[str], None],
        progress: Callable[[Progress], None],
    ) -> None:
        """Prepare the scratch folder, which must exist."""
        self._plan = plan
        self._scratch = scratch
        self._announce = announce
        self._progress = progress
        (scratch / "result").mkdir()
        self._writer = FolderWriter(scratch / "result")

    def run(self) -> None:
        """Go through all stages."""
        taken = self._read()
        content = self._order(taken)
        if self._has_names(content):
            content = self._name(content)
        mentions: dict[str, Any] = {}
        for form in self._plan.forms:
            self._begin("index names")
            mentions |= known_names.write(content, self._writer, form=form)
        self._begin("sum up")
        self._seal(content, mentions)
        self._begin("done")

    def _begin(self, stage: str) -> None:
        self._progress(Progress(stage, 0, 1))

    def _read(self) -> Taken:
        total = sum(source_file(path).stat().st_size for path in self._plan.sources)
        done = 0

        def advance(size: int) -> None:
            nonlocal done
            done += size
            self._progress(Progress("read", done, total))

        return take_in(
            self._plan.sources,
            self._scratch,
            on_error=self._plan.on_error,
            announce=self._announce,
            progress=advance,
        )

    def _order(self, taken: Taken) -> Content:
        """Lay out strings and triples; drop duplicates."""
        self._begin("lay out strings")
        entities = self._strings("entities", taken.entities)
        relations = MemoryStrings.of(self._strings("relations", taken.relations))
        self._begin("order triples")
        kept = placing.kept_rows(taken.rows, count=len(entities))
        count = int(np.count_nonzero(kept))
        rows = self._writer.create("rows", (3, count), "<i4")
        placing.copy_kept(taken.rows, kept, to=rows)
        ends = np.cumsum([each.triples for each in taken.sources])
        brought = [int(np.count_nonzero(part)) for part in np.split(kept, ends[:-1])]
        if len(taken.sources) > 1:
            origins = self._writer.create("sources", (count,), "<u2")
            for place, part in enumerate(np.split(origins, np.cumsum(brought)[:-1])):
                part[:] = place
        heads = in_order(rows[0])
        self._writer.write("heads", heads)
        return Content(
            about=About(
                name=self._plan.name,
                duplicates=len(kept) - count,
                skipped=sum(each.skipped for each in taken.sources),
                sources=tuple(
                    each._replace(duplicates=each.triples - own)
                    for each, own in zip(taken.sources, brought, strict=True)
                ),
            ),
            entities=entities,
            relations=relations,
            rows=rows,
            facts=self._grouped("facts", rows[0], rows[1], rows[2], count=len(entities)),
            incoming=self._grouped("incoming", rows[2], rows[1], rows[0], count=len(entities)),
            heads=heads,
        )

    def _strings(self, name: str, numbers: DiskNumbers) -> HeapStrings:
        shapes = heap_shapes(numbers.count, numbers.size)
        arrays = Heap(
            *(self._writer.create(f"{name}.{part}", *shapes[part]) for part in Heap._fields)
        )
        numbers.lay_out(arrays)
        return HeapStrings(arrays)

    def _grouped(
        self,
        name: str,
        ends: NDArray[np.int32],
        relations: NDArray[np.int32],
        others: NDArray[np.int32],
        *,
        count: int,
    ) -> Grouped:
        rows = (len(ends),)
        grouped = Grouped(
            self._writer.create(f"{name}.offsets", (count + 1,), "<i8"),
            self._writer.create(f"{name}.relations", rows, "<i4"),
            self._writer.create(f"{name}.others", rows, "<i4"),
        )
        placing.fill_groups(ends, relations, others, to=grouped)
        return grouped

    def _has_names(self, content: Content) -> bool:
        sources = self._plan.sources
        return bool(
            any(map(is_rdf, sources))
            or self._plan.aliases
            or any(_of_folders(sources, folders.read_names))
            or any(_of_folders(sources, folders.read_relation_names))
            or names.is_naming(content.relations)
        )

    def _name(self, content: Content) -> Content:
        """Find the names of entities and relations."""
        self._begin("find names")
        (self._scratch / "names").mkdir()
        interner = DiskInterner(self._scratch / "names")
        graph = Graph(content.entities, content.relations, content.rows)
        languages, paths = self._plan.languages, self._plan.sources
        given = chain.from_iterable(self._aliases(path, graph) for path in self._plan.aliases)
        given = chain(given, _of_folders(paths, folders.read_names))
        found = names.find_names(graph, interner, languages=languages, given=given)
        for language in found.absent(languages):
            self._announce(no_text_in(language))
        numbers = interner.finish()
        strings, count = self._strings("names", numbers), len(content.entities)
        of_entity = names.group_names(found, numbers.ids, count=count)
        standing = bearers.standing_of(graph, of_entity, found.guessed)
        self._writer.write("names.standing", standing)
        entities = bearers.by_name(of_entity, names=len(strings), standing=standing)
        for name, groups in (("names.of_entity", of_entity), ("names.entities", entities)):
            self._writer.write(f"{name}.offsets", groups.offsets)
            self._writer.write(f"{name}.values", groups.values)
        known = Names(
            strings,
            of_entity=of_entity,
            entities=entities,
            standing=standing,
            languages=languages,
        )
        files = chain.from_iterable(map(folders.read_name_file, self._plan.aliases))
        given = chain(files, _of_folders(paths, folders.read_relation_names))
        called = relation_names(graph, known, given=given)
        self._write_relation_names(called)
        return replace(content, names=known, relation_names=called)

    def _aliases(self, path: Path, graph: Graph) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the names that a file gives; say afterwards how many of its lines serve nobody."""
        lines, unknown, first = 0, 0, ""
        for entity, called in folders.read_name_file(path):
            lines += 1
            if entity not in graph.entities and entity not in graph.relations:
                unknown, first = unknown + 1, first or entity
            yield entity, called
        if unknown:
            self._announce(
                f"{path}: {unknown} of {lines} lines name no entity of the graph, the first:"
                f" {first!r}"
            )

    def _write_relation_names(self, called: Sequence[str]) -> None:
        folder = self._scratch / "relation_names"
        folder.mkdir()
        interner = DiskInterner(folder)
        serials = interner.add(called)
        numbers = interner.finish()
        self._strings("relation_names", numbers)
        self._writer.write("relation_names.ids", numbers.ids[serials])

    def _seal(self, content: Content, mentions: dict[str, Any]) -> None:
        about = content.about
        self._writer.seal(
            {
                "name": about.name,
                "triples": content.rows.shape[1],
                "entities": len(content.entities),
                "relations": len(content.relations),
                "duplicates": about.duplicates,
                "skipped": about.skipped,
                "fingerprint": fingerprint(content),
                "named": content.names is not None,
                "languages": list(self._plan.languages),
                "sources": [source._asdict() for source in about.sources],
                "mentions": mentions,
                "plan": self._plan.to_dict(),
            }
        )


def _of_folders(
    paths: Iterable[Path], read: Callable[[Path], Iterator[tuple[str, tuple[str, ...]]]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    return chain.from_iterable(read(path) for path in paths if path.is_dir())
