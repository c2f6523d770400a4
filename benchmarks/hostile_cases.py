"""Make the cases of the fuzz run: sound documents, damaged in one to four ways.

A case is a set of files, and the one among them, or the folder, that is to be opened. The same seed
and number give the same bytes on every machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import graphs
from benchmarks.hostile import DOCUMENTS, FOLDERS, TEXTS
from benchmarks.hostile_changes import damage, extreme, mutated_json, pack
from benchmarks.hostile_composed import COMPOSED, composed
from graphs.compiled.folder import MANIFEST, seal_of

PACKINGS: Final = ("", "", "", "gz", "zst")
_EXTREME: Final = 0.003
_COMPOSED: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Case:
    """A graph to be opened, and what was done to it.

    target: the path to open; files: bytes by path, of the graph and of `texts`; form: the format,
    or the kind of folder; how: each damage, nothing for a sound graph; fingerprint: of the compiled
    graph as it was, if the damage may not go unnoticed.
    """

    number: int
    form: str
    target: str
    files: dict[str, bytes]
    texts: str
    how: tuple[str, ...]
    fingerprint: str = ""


@dataclass(frozen=True)
class Compiled:
    """The files of a compiled graph, by relative path, and its fingerprint."""

    files: dict[str, bytes]
    fingerprint: str


def compiled_graphs(scratch: Path) -> tuple[Compiled, ...]:
    """Compile two small graphs in the folder `scratch`; nothing of that folder gets into them."""
    found = []
    for form in ("spo", "nt"):
        source, folder = scratch / f"sound.{form}", scratch / form
        source.write_bytes(DOCUMENTS[form])
        store = graphs.compile([source], folder, languages=["zh", "en"] if form == "nt" else [])
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        here = f"{scratch}/".encode()
        files = _resealed(files, files[MANIFEST].replace(here, b""))
        found.append(Compiled(files, store.fingerprint))
    return tuple(found)


def make_case(number: int, *, seed: int, compiled: tuple[Compiled, ...]) -> Case:
    """Return the case of this number."""
    rng = Random(f"{seed}:{number}")
    draw = rng.random()
    kind = rng.choice(sorted(TEXTS))
    data, _ = damage(TEXTS[kind], form=kind, rng=rng, times=rng.choice((0, 0, 1, 2)))
    texts = f"texts.{kind}", data
    if draw < 0.12:
        return _compiled(number, rng.choice(compiled), texts=texts, rng=rng)
    if draw < 0.2:
        return _folder(number, texts=texts, rng=rng)
    return _document(number, texts=texts, rng=rng)


def _times(rng: Random) -> int:
    """Draw how often to damage; one case of sixteen stays sound."""
    return rng.choice((0, *[1] * 7, *[2] * 4, 3, 3, 4, 4))


def _document(number: int, *, texts: tuple[str, bytes], rng: Random) -> Case:
    form, packing = rng.choice(sorted(DOCUMENTS)), rng.choice(PACKINGS)
    draw = rng.random()
    if draw < _EXTREME:
        data, how = extreme(form, rng=rng)
    elif draw < _COMPOSED and form in COMPOSED:
        data, how = composed(form, rng=rng), []
    else:
        data, how = damage(DOCUMENTS[form], form=form, rng=rng, times=_times(rng))
    target = f"case.{form}"
    if packing:
        target += f".{packing}"
        data = pack(data, packing=packing, rng=rng)
        if rng.random() < 0.3:
            data, more = damage(data, form="", rng=rng, times=1)
            how += [f"packed: {each}" for each in more]
    return Case(
        number=number,
        form=form,
        target=target,
        files={target: data, texts[0]: texts[1]},
        texts=texts[0],
        how=tuple(how),
    )


def _folder(number: int, *, texts: tuple[str, bytes], rng: Random) -> Case:
    kind = rng.choice(sorted(FOLDERS))
    files, how = dict(FOLDERS[kind]), []
    for _ in range(_times(rng)):
        name = rng.choice(sorted(files))
        if rng.random() < 0.1 and len(files) > 1:
            del files[name]
            how.append(f"{name}: removed")
        else:
            files[name], done = damage(files[name], form="tsv", rng=rng, times=1)
            how.append(f"{name}: {done[0]}")
    return Case(
        number=number,
        form=kind,
        target="folder",
        files=_within("folder", files) | {texts[0]: texts[1]},
        texts=texts[0],
        how=tuple(how),
    )


def _compiled(number: int, graph: Compiled, *, texts: tuple[str, bytes], rng: Random) -> Case:
    if rng.random() < 0.4:
        files, how, fingerprint = *_forged(graph.files, rng=rng), ""
    else:
        files, how, fingerprint = *_broken(graph.files, rng=rng), graph.fingerprint
    return Case(
        number=number,
        form="compiled",
        target="graph",
        files=_within("graph", files) | {texts[0]: texts[1]},
        texts=texts[0],
        how=tuple(how),
        fingerprint=fingerprint,
    )


def _broken(files: dict[str, bytes], *, rng: Random) -> tuple[dict[str, bytes], list[str]]:
    files, how = dict(files), []
    for _ in range(_times(rng)):
        name = rng.choice([MANIFEST, *sorted(files)])
        draw = rng.random()
        if draw < 0.15 and name in files:
            del files[name]
            done = "removed"
        elif draw < 0.3:
            other = rng.choice(sorted(files))
            files[name] = files[other]
            done = f"replaced by {other}"
        else:
            form = "manifest" if name == MANIFEST else ""
            files[name], (done,) = damage(files.get(name, b""), form=form, rng=rng, times=1)
        how.append(f"{name}: {done}")
    return files, how


def _forged(files: dict[str, bytes], *, rng: Random) -> tuple[dict[str, bytes], list[str]]:
    """Change the manifest as somebody would who knows about its seal."""
    manifest, how = mutated_json(json.loads(files[MANIFEST]), rng=rng)
    data = json.dumps(manifest).encode()
    more: list[str] = []
    if rng.random() < 0.2:
        data, more = damage(data, form="manifest", rng=rng, times=1)
    return _resealed(files, data), [f"{MANIFEST}: forged: {each}" for each in (how, *more)]


def _resealed(files: dict[str, bytes], manifest: bytes) -> dict[str, bytes]:
    """Return the files with another manifest, and the data under its seal."""
    before, after = seal_of(files[MANIFEST]), seal_of(manifest)
    moved = {name.replace(before, after): data for name, data in files.items()}
    return moved | {MANIFEST: manifest}


def _within(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in files.items()}
