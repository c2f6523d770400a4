"""What entities and relations are called: their names, their descriptions, or both.

Of a KG-BERT folder the name is the text of `entity2text.txt` (else `entity2textshort.txt`), the
description that of `entity2textlong.txt` (else `entity2textmid.txt`, without the `name -- ` that
its texts begin with). Where all names are `name, gloss`, as in WN18RR (see
`graphs.folders.has_glosses`), the gloss is the description, and both are the text as it stands.
Elsewhere both are `name: description`. The original reads `both` in WN18RR, `description` in link
prediction on FB15k-237, and `name` in all else. Relations have names, in `relation2text.txt`.

What has no description is told by its name. What has no text at all is an error, or is told by its
id, or is left out, as `on_missing` says; it is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

from graphs.folders import has_glosses
from kbert.errors import DataError
from kgbert.text_files import TextFile, find_file, read_text_file, shown

TextMode = Literal["name", "description", "both"]
OnMissing = Literal["error", "id", "skip"]

NAMES: Final = "entity2text.txt", "entity2textshort.txt"
DESCRIPTIONS: Final = "entity2textlong.txt", "entity2textmid.txt"
RELATIONS: Final = ("relation2text.txt",)


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts that a model reads, by the numbers of entities and relations."""

    entities: tuple[str, ...]
    relations: tuple[str, ...]

    def entity(self, number: int) -> str:
        """Return the text of an entity."""
        return self.entities[number]

    def relation(self, number: int) -> str:
        """Return the text of a relation."""
        return self.relations[number]


@dataclass(frozen=True)
class Wording:
    """Texts by id, and `blank`: the places of ids that stand in a file with an empty text.

    `source` is where a text would have to be added, `absent` whether that file is not there, and
    `notes` what a user should know.
    """

    source: str
    texts: Mapping[str, str]
    blank: Mapping[str, tuple[Path, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    absent: bool = False


class Settled(NamedTuple):
    """A text for each id, "" for one that is to be left out, and what a user should know."""

    texts: tuple[str, ...]
    notes: tuple[str, ...]


def folder_wording(folder: Path, *, mode: TextMode) -> Wording:
    """Read what entities are called in a KG-BERT folder; without a file of names, nothing.

    Raises `DataError` for a broken line, and where descriptions are asked for and there are none.
    """
    path = find_file(folder, NAMES)
    if path is None:
        return Wording(str(folder / NAMES[0]), {}, absent=True)
    names = read_text_file(path).checked()
    blank = {key: (path, line) for key, line in names.blank.items()}
    glossed = has_glosses(names.texts.values())
    notes: tuple[str, ...] = ()
    if glossed and mode == "name":
        notes = (f"{path.name}: names without their glosses; texts 'both' reads them as well",)
    described = find_file(folder, DESCRIPTIONS)
    if mode == "name":
        texts = {key: _name(text) if glossed else text for key, text in names.texts.items()}
    elif described is not None:
        texts, notes = _described(names.texts, read_text_file(described).checked(), mode=mode)
    elif glossed:
        texts = names.texts if mode == "both" else dict(map(_gloss, names.texts.items()))
    else:
        wanted = " or ".join(DESCRIPTIONS)
        raise DataError(f"no descriptions: add {wanted}, or take texts 'name'", file=folder)
    return Wording(str(path), texts, blank, notes)


def relation_wording(folder: Path) -> Wording:
    """Read what relations are called in a KG-BERT folder; without the file, nothing.

    Raises `DataError` for a broken line.
    """
    path = find_file(folder, RELATIONS)
    if path is None:
        return Wording(str(folder / RELATIONS[0]), {}, absent=True)
    file = read_text_file(path).checked()
    return Wording(str(path), file.texts, {key: (path, line) for key, line in file.blank.items()})


def settle(ids: Sequence[str], wording: Wording, *, what: str, on_missing: OnMissing) -> Settled:
    """Give each of `ids`, the entities or relations (`what`), its text.

    Raises `DataError` where one has none and `on_missing` is `error`, or where none has one and it
    is `skip`, which would leave nothing.
    """
    missing = [key for key in ids if key not in wording.texts]
    if not missing:
        return Settled(tuple(wording.texts[key] for key in ids), wording.notes)
    count = f"{len(missing):,} of {len(ids):,} {what} have no text"
    if on_missing == "error":
        _refuse(missing, wording, count=count)
    if on_missing == "skip" and len(missing) == len(ids):
        message = f"{count}, so nothing would be left; on_missing 'id' reads their ids"
        raise DataError(message, file=wording.source)
    done = "their ids are read" if on_missing == "id" else "left out"
    example = f"the first is {shown(missing[0])}"
    texts = (wording.texts.get(key) or (words(key) if on_missing == "id" else "") for key in ids)
    return Settled(tuple(texts), (*wording.notes, f"{count} ({example}): {done}"))


def words(key: str) -> str:
    """Return an id as words, `_` and `/` being spaces, as KG-BERT's own text files have them."""
    return " ".join(key.replace("_", " ").replace("/", " ").split()) or key


def joined(name: str, description: str, *, mode: TextMode) -> str:
    """Return what a model reads of an entity with a name, and perhaps a description."""
    if not description or mode == "name":
        return name
    return f"{name}: {description}" if name and mode == "both" else description


def _refuse(missing: Sequence[str], wording: Wording, *, count: str) -> None:
    cure = "on_missing 'id' reads their ids, 'skip' leaves their triples out"
    for key in missing:
        if key in wording.blank:
            file, line = wording.blank[key]
            message = f"{shown(key)} has an empty text; write one, or {cure} ({count})"
            raise DataError(message, file=file, line=line)
    if wording.absent:
        message = f"is not there, and {count}; add it (id TAB text), or on_missing 'id' reads ids"
    else:
        message = f"{count}: {', '.join(map(shown, missing[:3]))}; add them, or {cure}"
    raise DataError(message, file=wording.source)


def _described(
    names: Mapping[str, str], file: TextFile, *, mode: TextMode
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Join names and descriptions by id, and count the names that have no description."""
    texts, without = {}, 0
    for key in dict.fromkeys([*names, *file.texts]):
        name, description = names.get(key, ""), file.texts.get(key, "")
        description = description.removeprefix(f"{name} -- ") if name else description
        description = "" if description == name else description
        without += not description
        texts[key] = joined(name, description, mode=mode)
    notes = f"{file.path.name}: {without:,} entities have no description; their name is read"
    return texts, (notes,) if without else ()


def _name(text: str) -> str:
    return text.partition(", ")[0].strip() or text


def _gloss(item: tuple[str, str]) -> tuple[str, str]:
    key, text = item
    return key, text.partition(", ")[2].strip() or text
