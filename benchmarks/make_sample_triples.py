"""Write the data set that ships with `kgbert`: simple salts and oxides, and what is known of them.

`python -m benchmarks.make_sample_triples` writes `kgbert/sample/`. A compound's name tells what it
consists of (`barium sulfate`), so a small model learns to read the names within minutes, and knows
something of compounds that it has never seen. Whether a compound dissolves in water is a rule with
exceptions. `same group as` is symmetric, and `salt of` has the inverse `has salt`, so that figures
with and without such triples differ. What textbooks call slightly soluble, or what reacts with
water, is not said. Valid and test are a tenth of the triples each, drawn by chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Final

from graphs import TripleStore
from graphs.splits import Splits, random_split

TARGET: Final = Path(__file__).resolve().parent.parent / "kgbert" / "sample"
_SEED: Final = 1

GROUPS: Final = {
    "alkali metals": ("lithium", "sodium", "potassium"),
    "alkaline earth metals": ("magnesium", "calcium", "strontium", "barium"),
    "transition metals": ("nickel", "cobalt", "silver", "zinc"),
    "post-transition metals": ("lead",),
    "halogens": ("fluorine", "chlorine", "bromine"),
    "chalcogens": ("oxygen", "sulfur"),
}
METALS: Final = tuple(
    metal for group, each in GROUPS.items() if group.endswith("metals") for metal in each
)
# What a compound's second word means: its elements beside the metal, and the acid it is a salt of.
KINDS: Final = {
    "fluoride": (("fluorine",), "hydrofluoric acid"),
    "chloride": (("chlorine",), "hydrochloric acid"),
    "bromide": (("bromine",), "hydrobromic acid"),
    "oxide": (("oxygen",), None),
    "nitrate": (("nitrogen", "oxygen"), "nitric acid"),
    "sulfate": (("sulfur", "oxygen"), "sulfuric acid"),
    "carbonate": (("carbon", "oxygen"), "carbonic acid"),
}
# Which metals' compounds of a kind dissolve in water, and which do not.
SOLUBLE: Final = {
    "fluoride": ("sodium", "potassium", "silver"),
    "chloride": tuple(metal for metal in METALS if metal not in ("silver", "lead")),
    "bromide": tuple(metal for metal in METALS if metal not in ("silver", "lead")),
    "nitrate": METALS,
    "sulfate": ("lithium", "sodium", "potassium", "magnesium", "nickel", "cobalt", "zinc"),
    "carbonate": ("sodium", "potassium"),
}
INSOLUBLE: Final = {
    "fluoride": ("magnesium", "calcium", "strontium"),
    "chloride": ("silver",),
    "bromide": ("silver",),
    "oxide": ("magnesium", "nickel", "cobalt", "silver", "zinc", "lead"),
    "sulfate": ("strontium", "barium", "lead"),
    "carbonate": tuple(
        metal for metal in METALS if metal not in ("lithium", "sodium", "potassium")
    ),
}
# The elements of these stand in one column of the periodic table.
_COLUMNS: Final = ("alkali metals", "alkaline earth metals", "halogens", "chalcogens")


def triples() -> Iterator[tuple[str, str, str]]:
    """Yield all facts, entities and relations by their names."""
    for group, elements in GROUPS.items():
        yield from ((element, "belongs to", group) for element in elements)
        if group in _COLUMNS:
            yield from ((one, "same group as", other) for one, other in permutations(elements, 2))
    for kind in KINDS:
        for metal in METALS:
            yield from _of_compound(metal, kind)
    for answer, kinds in (("soluble", SOLUBLE), ("insoluble", INSOLUBLE)):
        for kind, metals in kinds.items():
            for metal in metals:
                yield f"{metal} {kind}", "solubility", f"{answer} in water"


def _of_compound(metal: str, kind: str) -> Iterator[tuple[str, str, str]]:
    compound, (elements, acid) = f"{metal} {kind}", KINDS[kind]
    yield compound, "is a", f"metal {kind}"
    for element in (metal, *elements):
        yield compound, "contains", element
    if acid is not None:
        yield compound, "salt of", acid
        yield acid, "has salt", compound


def description(name: str) -> str:
    """Say what kind of thing an entity is."""
    if name in GROUPS:
        return "a group of elements"
    if name.endswith("water"):
        return "a property of a compound"
    if " " not in name:
        return "a metal" if name in METALS else "an element that is no metal"
    if name.startswith("metal "):
        return "a class of compounds"
    return "an acid" if name.endswith("acid") else "a compound of a metal"


def write(target: Path) -> None:
    """Write the data set as a KG-BERT folder."""
    store = TripleStore.from_triples((_key(h), _key(r), _key(t)) for h, r, t in triples())
    splits = random_split(store, dev=0.1, test=0.1, seed=_SEED)
    names = {_key(name): name for triple in triples() for name in triple}
    target.mkdir(parents=True, exist_ok=True)
    for part in ("train", "dev", "test"):
        _write(target / f"{part}.tsv", _lines(splits, part))
    said = ((key, names[key]) for key in splits.entities)
    _write_texts(target / "entity2text.txt", said)
    said = ((key, description(names[key])) for key in splits.entities)
    _write_texts(target / "entity2textlong.txt", said)
    _write_texts(target / "relation2text.txt", ((key, names[key]) for key in splits.relations))


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _lines(splits: Splits, part: str) -> Iterator[str]:
    return ("\t".join(triple) for triple in splits.triples(getattr(splits, part).rows))


def _write_texts(path: Path, texts: Iterable[tuple[str, str]]) -> None:
    _write(path, (f"{key}\t{text}" for key, text in texts))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.make_sample_triples", description=__doc__
    )
    parser.add_argument("--target", type=Path, default=TARGET, metavar="FOLDER")
    write(parser.parse_args(arguments).target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
