"""Write the data set that ships with `kgbert`: facts about countries, so that a small model learns.

`python -m benchmarks.make_sample_triples` writes `kgbert/sample/`. The facts are of 2024: capitals,
land borders, official languages, currencies, unions. Their structure is what a model can find:
`capital` and `capital of` are inverses, `borders` is symmetric, a capital is part of the region of
its country. Regions are those of the United Nations' geoscheme. Descriptions say no more than what
kind of thing an entity is. Valid and test are a tenth of the triples each, drawn by chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from graphs import TripleStore
from graphs.splits import Splits, random_split

TARGET: Final = Path(__file__).resolve().parent.parent / "kgbert" / "sample"
_SEED: Final = 1


class Country(NamedTuple):
    """One line of the table."""

    name: str
    capital: str
    region: str
    currency: str
    languages: str
    unions: str
    kind: str


# Unions: E is the European Union, N is NATO. Kinds: c has a coast, i is on islands, l neither.
COUNTRIES: Final = tuple(
    Country(*(cell.strip() for cell in line.split("|")))
    for line in """\
Albania | Tirana | Southern | Albanian lek | Albanian | N | c
Andorra | Andorra la Vella | Southern | euro | Catalan | | l
Austria | Vienna | Western | euro | German | E | l
Belarus | Minsk | Eastern | Belarusian ruble | Belarusian, Russian | | l
Belgium | Brussels | Western | euro | Dutch, French, German | EN | c
Bosnia and Herzegovina | Sarajevo | Southern | convertible mark | Bosnian, Croatian, Serbian | | c
Bulgaria | Sofia | Eastern | Bulgarian lev | Bulgarian | EN | c
Croatia | Zagreb | Southern | euro | Croatian | EN | c
Czechia | Prague | Eastern | Czech koruna | Czech | EN | l
Denmark | Copenhagen | Northern | Danish krone | Danish | EN | c
Estonia | Tallinn | Northern | euro | Estonian | EN | c
Finland | Helsinki | Northern | euro | Finnish, Swedish | EN | c
France | Paris | Western | euro | French | EN | c
Germany | Berlin | Western | euro | German | EN | c
Greece | Athens | Southern | euro | Greek | EN | c
Hungary | Budapest | Eastern | Hungarian forint | Hungarian | EN | l
Iceland | Reykjavik | Northern | Icelandic krona | Icelandic | N | i
Ireland | Dublin | Northern | euro | Irish, English | E | i
Italy | Rome | Southern | euro | Italian | EN | c
Latvia | Riga | Northern | euro | Latvian | EN | c
Liechtenstein | Vaduz | Western | Swiss franc | German | | l
Lithuania | Vilnius | Northern | euro | Lithuanian | EN | c
Luxembourg | Luxembourg City | Western | euro | Luxembourgish, French, German | EN | l
Malta | Valletta | Southern | euro | Maltese, English | E | i
Moldova | Chisinau | Eastern | Moldovan leu | Romanian | | l
Montenegro | Podgorica | Southern | euro | Montenegrin | N | c
Netherlands | Amsterdam | Western | euro | Dutch | EN | c
North Macedonia | Skopje | Southern | Macedonian denar | Macedonian, Albanian | N | l
Norway | Oslo | Northern | Norwegian krone | Norwegian | N | c
Poland | Warsaw | Eastern | Polish zloty | Polish | EN | c
Portugal | Lisbon | Southern | euro | Portuguese | EN | c
Romania | Bucharest | Eastern | Romanian leu | Romanian | EN | c
Russia | Moscow | Eastern | Russian ruble | Russian | | c
San Marino | City of San Marino | Southern | euro | Italian | | l
Serbia | Belgrade | Southern | Serbian dinar | Serbian | | l
Slovakia | Bratislava | Eastern | euro | Slovak | EN | l
Slovenia | Ljubljana | Southern | euro | Slovene | EN | c
Spain | Madrid | Southern | euro | Spanish | EN | c
Sweden | Stockholm | Northern | Swedish krona | Swedish | EN | c
Switzerland | Bern | Western | Swiss franc | German, French, Italian, Romansh | | l
Ukraine | Kyiv | Eastern | Ukrainian hryvnia | Ukrainian | | c
United Kingdom | London | Northern | pound sterling | English | N | i
""".splitlines()
)

# Each border once, from the country that comes first.
BORDERS: Final = """\
Albania: Greece, Montenegro, North Macedonia
Andorra: France, Spain
Austria: Czechia, Germany, Hungary, Italy, Liechtenstein, Slovakia, Slovenia, Switzerland
Belarus: Latvia, Lithuania, Poland, Russia, Ukraine
Belgium: France, Germany, Luxembourg, Netherlands
Bosnia and Herzegovina: Croatia, Montenegro, Serbia
Bulgaria: Greece, North Macedonia, Romania, Serbia
Croatia: Hungary, Montenegro, Serbia, Slovenia
Czechia: Germany, Poland, Slovakia
Denmark: Germany
Estonia: Latvia, Russia
Finland: Norway, Russia, Sweden
France: Germany, Italy, Luxembourg, Spain, Switzerland
Germany: Luxembourg, Netherlands, Poland, Switzerland
Greece: North Macedonia
Hungary: Romania, Serbia, Slovakia, Slovenia, Ukraine
Ireland: United Kingdom
Italy: San Marino, Slovenia, Switzerland
Latvia: Lithuania, Russia
Liechtenstein: Switzerland
Lithuania: Poland, Russia
Moldova: Romania, Ukraine
Montenegro: Serbia
North Macedonia: Serbia
Norway: Russia, Sweden
Poland: Russia, Slovakia, Ukraine
Portugal: Spain
Romania: Serbia, Ukraine
Russia: Ukraine
Slovakia: Ukraine
"""

FAMILIES: Final = """\
Baltic: Latvian, Lithuanian
Celtic: Irish
Germanic: Danish, Dutch, English, German, Icelandic, Luxembourgish, Norwegian, Swedish
Romance: Catalan, French, Italian, Portuguese, Romanian, Romansh, Spanish
Semitic: Maltese
Slavic: Belarusian, Bosnian, Bulgarian, Croatian, Czech, Macedonian, Montenegrin, Polish, Russian
Slavic: Serbian, Slovak, Slovene, Ukrainian
Uralic: Estonian, Finnish, Hungarian
"""

_UNIONS: Final = {"E": "European Union", "N": "NATO"}
_KINDS: Final = {
    "c": "a country with a coast",
    "i": "a country on islands",
    "l": "a country inland",
}


def triples() -> Iterator[tuple[str, str, str]]:
    """Yield all facts, entities and relations by their names."""
    for country in COUNTRIES:
        region = f"{country.region} Europe"
        yield country.name, "capital", country.capital
        yield country.capital, "capital of", country.name
        yield country.name, "part of", region
        yield country.capital, "part of", region
        yield country.name, "currency", country.currency
        for language in country.languages.split(", "):
            yield country.name, "official language", f"{language} language"
        for letter in country.unions:
            yield country.name, "member of", _UNIONS[letter]
    for one, other in _pairs(BORDERS):
        yield one, "borders", other
        yield other, "borders", one
    for family, language in _pairs(FAMILIES):
        yield f"{language} language", "language family", f"{family} languages"


def descriptions() -> dict[str, str]:
    """Say of each entity what kind of thing it is."""
    kinds = {f"{country.region} Europe": "a region" for country in COUNTRIES}
    kinds |= dict.fromkeys(_UNIONS.values(), "a union of countries")
    kinds |= {f"{family} languages": "a family of languages" for family, _ in _pairs(FAMILIES)}
    for country in COUNTRIES:
        kinds[country.name] = _KINDS[country.kind]
        for language in country.languages.split(", "):
            kinds[f"{language} language"] = "a language"
        kinds[country.capital], kinds[country.currency] = "a capital city", "a currency"
    return kinds


def write(target: Path) -> None:
    """Write the data set as a KG-BERT folder."""
    store = TripleStore.from_triples((_key(h), _key(r), _key(t)) for h, r, t in triples())
    splits = random_split(store, dev=0.1, test=0.1, seed=_SEED)
    names = {_key(name): name for triple in triples() for name in triple}
    said = {_key(name): text for name, text in descriptions().items()}
    target.mkdir(parents=True, exist_ok=True)
    for part in ("train", "dev", "test"):
        _write(target / f"{part}.tsv", _lines(splits, part))
    _write(target / "entity2text.txt", (f"{key}\t{names[key]}" for key in splits.entities))
    _write(target / "entity2textlong.txt", (f"{key}\t{said[key]}" for key in splits.entities))
    _write(target / "relation2text.txt", (f"{key}\t{names[key]}" for key in splits.relations))


def _key(name: str) -> str:
    return name.lower().replace(" ", "_")


def _pairs(table: str) -> Iterator[tuple[str, str]]:
    for line in table.splitlines():
        first, _, others = line.partition(": ")
        for other in others.split(", "):
            yield first, other


def _lines(splits: Splits, part: str) -> Iterator[str]:
    return ("\t".join(triple) for triple in splits.triples(getattr(splits, part).rows))


def _write(path: Path, lines: Iterator[str]) -> None:
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
