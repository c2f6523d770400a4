"""Stores and indexes, in memory and compiled, against brute force on many random cases."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest

import graphs
from graphs import MentionIndex, TripleStore
from graphs.normal import NormalForm
from graphs.readers import read_triples
from graphs.syntax.ntriples import format_triple
from tests.graphs.brute_graph import NAMING, NODES, PLAIN, RELATIONS, BruteGraph, check
from tests.graphs.brute_mentions import BruteLinker

GRAPHS = 30
TEXTS = 450
LANGUAGES: Sequence[tuple[str, ...]] = ((), ("en",), ("zh", "en"), ("fr",))
FOLDED = {"case_fold": True, "nfkc": True}


def test_a_hundred_thousand_random_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)  # the disk's speed is not the question
    source = random.Random(20)
    stores = links = 0
    for number in range(GRAPHS):
        rdf = number % 3 != 0
        relations = [*RELATIONS, *NAMING] if rdf else RELATIONS
        nodes = source.sample(NODES if rdf else PLAIN, k=12)
        triples = [
            (source.choice(nodes), source.choice(relations), source.choice(nodes))
            for _ in range(source.randrange(1, 30))
        ]
        path = tmp_path / f"{number}{'.nt' if rdf else '.tsv'}"
        write(path, triples)
        languages = source.choice(LANGUAGES)
        forms = [NormalForm(**FOLDED)] if number % 2 else []
        compiled = graphs.compile([path], tmp_path / f"{number}", languages=languages, forms=forms)
        memory = TripleStore.open(path, languages=languages)
        brute = BruteGraph(triples, languages=languages, rdf=rdf)
        assert compiled.fingerprint == memory.fingerprint
        for store in (compiled, memory):
            stores += check(store, brute)
        for options in options_of(source, brute):
            links += check_links([compiled, memory], brute, options, source=source)
    assert stores + links >= 100_000 and links >= 50_000


def write(path: Path, triples: Sequence[tuple[str, str, str]]) -> None:
    lines = starmap(format_triple, triples) if path.suffix == ".nt" else map("\t".join, triples)
    path.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8", newline="\n")
    assert list(read_triples(path)) == triples


def options_of(source: random.Random, brute: BruteGraph) -> list[dict[str, Any]]:
    stop_names = (
        [name for name, _ in source.sample(brute.bearers(), k=min(2, len(brute.heads)))]
        if brute.bearers()
        else []
    )
    only = source.sample(brute.heads, k=len(brute.heads) // 2)
    return [
        {"min_length": source.choice([1, 2, 3]), "only": source.choice([None, only])},
        {"min_length": source.choice([1, 2]), "stop_names": stop_names, **FOLDED},
        {"case_fold": True, "only": only},
    ]


def check_links(
    stores: Sequence[TripleStore],
    brute: BruteGraph,
    options: dict[str, Any],
    *,
    source: random.Random,
) -> int:
    linker = BruteLinker(brute.bearers(), **options)
    names = [name for name, _ in brute.bearers()]
    pieces = [*names, *map(str.upper, names), " ", " ", "的", "a", "。"]
    texts = ["".join(source.choices(pieces, k=source.randrange(1, 9))) for _ in range(TEXTS)]
    expected = list(map(linker.find, texts))
    for store in stores:
        index = MentionIndex(store, **options)
        assert list(map(index.find, texts)) == expected
        for piece in pieces:
            assert index.candidates(piece) == linker.candidates(piece)
        assert (len(index), index.excluded) == (linker.count, linker.excluded)
    return len(stores) * (len(texts) + len(pieces) + 1)
