from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphs
from graphs import Fact, GraphError, MentionIndex, TripleStore
from graphs.names import Groups, language_rank
from graphs.terms import literal
from tests.graphs.brute_graph import (
    ALT_LABEL,
    DIRECT_CLAIM,
    NAMING,
    NODES,
    PREF_LABEL,
    RDFS_LABEL,
    RELATIONS,
    BruteGraph,
)
from tests.graphs.brute_graph import language_rank as brute_rank

node = st.sampled_from(NODES)
triples = st.lists(
    st.tuples(node, st.sampled_from([*RELATIONS, *NAMING, *NAMING]), node), min_size=1, max_size=25
)
languages = st.sampled_from([(), ("en",), ("zh", "en"), ("de", "en-gb"), ("fr",)])
called = st.dictionaries(
    node, st.lists(st.sampled_from(["x  y", "ab", "", " ", "北京"])), max_size=4
)


@settings(max_examples=150)
@given(triples, languages, called)
def test_names_equal_brute_force(rows: list, wanted: tuple[str, ...], given_names: dict) -> None:
    store = TripleStore.from_triples(rows, languages=wanted, names=given_names)
    brute = BruteGraph(rows, languages=wanted, names=given_names)
    for entity in brute.entities:
        assert store.names_of(entity) == tuple(brute.names_of(entity))
        assert store.name_of(entity) == brute.name_of(entity)
        for name in brute.names_of(entity):
            assert store.candidates(name) == tuple(brute.candidates(name))
    for relation in brute.relations:
        assert store.relation_name(relation) == brute.relation_name(relation)


LABELLED = [
    ("urn:b", ALT_LABEL, literal("Big City", language="en")),
    ("urn:b", RDFS_LABEL, literal("Peking", language="de")),
    ("urn:b", RDFS_LABEL, literal("Beijing", language="en-gb")),
    ("urn:b", PREF_LABEL, literal("Běijīng")),
    ("urn:b", PREF_LABEL, literal("北京", language="zh")),
    ("urn:b", "urn:capitalOf", "urn:c"),
    ("urn:b", "urn:note", literal("nur deutsch", language="de")),
    ("urn:c", RDFS_LABEL, literal("Chine", language="fr")),
    ("_:x", "urn:in", "urn:d_e%C3%A9"),
]


@pytest.mark.parametrize(
    ("wanted", "city", "country", "note"),
    [
        ((), ("Běijīng", "北京", "Peking", "Beijing", "Big City"), "Chine", "nur deutsch"),
        (("en",), ("Beijing", "Běijīng", "Big City"), "Chine", ""),
        (("de", "en"), ("Peking", "Beijing", "Běijīng", "Big City"), "Chine", "nur deutsch"),
        (("zh", "fr"), ("北京", "Běijīng"), "Chine", ""),
        (("ZH",), ("北京", "Běijīng"), "Chine", ""),
    ],
)
def test_the_preference_of_languages(
    wanted: tuple[str, ...], city: tuple[str, ...], country: str, note: str
) -> None:
    store = TripleStore.from_triples(LABELLED, languages=wanted)
    assert store.names_of("urn:b") == city
    assert store.name_of("urn:c") == country
    assert store.name_of(literal("nur deutsch", language="de")) == note
    assert (store.name_of("_:x"), store.name_of("urn:d_e%C3%A9")) == ("", "d eé")
    assert store.relation_name("urn:capitalOf") == "capital of"
    assert store.languages == tuple(tag.lower() for tag in wanted)
    said = [fact and fact.tail for fact in map(store.readable, store.facts("urn:b"))]
    assert said == [*[None] * 5, country, note or None]


def test_wikidata_s_properties_name_its_relations() -> None:
    direct, entity = "http://www.wikidata.org/prop/direct/P31", "http://www.wikidata.org/entity/P31"
    rows = [
        (entity, DIRECT_CLAIM, direct),
        (entity, RDFS_LABEL, literal("instance of", language="en")),
        ("urn:a", direct, "urn:b"),
        ("urn:a", "urn:birthPlace", "urn:b"),
        ("urn:birthPlace", RDFS_LABEL, literal("birthPlace", language="en")),
    ]
    store = TripleStore.from_triples(rows, languages=("en",))
    assert store.relation_name(direct) == "instance of"
    assert store.relation_name("urn:birthPlace") == "birth place"  # a label that says no more
    assert store.relation_name("urn:unknown") == "urn:unknown"


def test_given_names_come_first_and_rename_what_is_no_rdf() -> None:
    rows = [("Q1", "P1", "Q2"), ("Q3", "P1", "Q1"), ("Q1", RDFS_LABEL, "universe")]
    names = {"Q1": ["the  Universe", "cosmos"], "Q2": [" "], "Q9": ["nobody"]}
    store = TripleStore.from_triples(rows, names=names)
    assert store.names_of("Q1") == ("the Universe", "cosmos", "universe")
    assert store.names_of("Q2") == ("Q2",)
    assert store.candidates("nobody") == ()
    assert store.candidates("cosmos") == ("Q1",) == store.candidates("Q1")


@pytest.mark.parametrize("bad", ["abc", ["a", 7], ["a\0b"], ["\ud800"]])
def test_names_that_are_no_texts_are_refused(bad: Sequence[str]) -> None:
    with pytest.raises(GraphError, match=r"the names of 'a' are .*; give a list of texts"):
        TripleStore.from_triples([("a", "r", "b")], names={"a": bad})


def test_a_text_is_no_list_of_languages(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\tr\tb\n")
    for refused in (
        lambda: TripleStore.open(path, languages="en"),
        lambda: graphs.compile([path], tmp_path / "c", languages="en"),
    ):
        with pytest.raises(GraphError, match="languages is the text 'en'"):
            refused()


@pytest.mark.parametrize("bad", ["en_US", "", "e n", "@en"])
def test_what_is_no_language_tag_is_refused(bad: str) -> None:
    with pytest.raises(GraphError, match=r"is no language tag; write it as in en or zh-hant"):
        TripleStore.from_triples([("a", "r", "b")], languages=["en", bad])


def test_a_nul_in_a_label_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "nul.nt"
    label = r'"a\u0000b"'
    path.write_text(f'<urn:a> <{RDFS_LABEL}> {label} .\n<urn:a> <urn:r> "\\u0000"@en .\n')
    for store in (TripleStore.open(path), graphs.compile([path], tmp_path / "nul")):
        assert store.names_of("urn:a") == ("a\ufffdb",)
        assert graphs.MentionIndex(store).find("a\ufffdb")[0].entity == "urn:a"


@given(st.sampled_from(["", "en", "en-gb", "eng", "zh-hant-tw", "de"]), languages)
def test_ranks_of_languages(tag: str, wanted: tuple[str, ...]) -> None:
    expected = brute_rank(tag, wanted)
    found = language_rank(tag, wanted)
    assert found == expected if expected is not None else found > len(wanted)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=30))
def test_groups_are_lists(pairs: list[tuple[int, int]]) -> None:
    owners, values = (np.array([p[i] for p in pairs], dtype=np.int32) for i in (0, 1))
    groups = Groups.of(owners, values, count=5)
    expected = [[value for owner, value in pairs if owner == number] for number in range(5)]
    assert [groups.get(number) for number in range(5)] == expected


def test_what_an_iri_ends_in_gives_way_to_what_is_stated() -> None:
    city, page = "http://x.org/Q1", "http://de.x.org/wiki/Berlin"
    store = TripleStore.from_triples(
        [
            (page, "http://x.org/about", city),
            (page, "http://x.org/in", city),
            (city, RDFS_LABEL, literal("City of Berlin")),
            (city, ALT_LABEL, literal("Berlin")),
            (city, "http://x.org/in", "http://x.org/Q2"),
        ]
    )
    assert store.candidates("Berlin") == (city, page)
    assert MentionIndex(store).find("in Berlin") == [(3, 9, city)]
    assert store.names_of("http://x.org/Q2") == () and store.name_of(page) == "Berlin"
    assert store.readable(Fact("http://x.org/in", "http://x.org/Q2")) is None


def test_names_do_not_make_an_entity_likelier() -> None:
    labelled = [
        ("http://x.org/aa", RDFS_LABEL, literal("Rome", language=tag)) for tag in ("en", "de")
    ]
    told = [
        ("http://x.org/bb", RDFS_LABEL, literal("Rome")),
        ("http://x.org/bb", "http://x.org/in", "http://x.org/Italy"),
    ]
    assert TripleStore.from_triples([*labelled, *told]).candidates("Rome")[0] == "http://x.org/bb"
