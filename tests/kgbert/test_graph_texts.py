"""Graphs with names: which triples are facts, and what entities are called in which language."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs import GraphError, TripleStore
from kbert.errors import DataError, SettingsError
from kgbert.data import load_data

TURTLE = """
@prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
:q1 rdfs:label "Lisbon"@en, "Lissabon"@de ; rdfs:comment "A city."@en, "Eine Stadt."@de ;
    :p1 :q2 ; :population 545796 .
:q2 rdfs:label "Portugal"@en, "Portugal"@de ; :p1 :q3 ;
    rdfs:comment "A country by the sea."@en ; skos:definition "A country."@en .
:q3 :p1 _:b ; :p1 :q1 .
:p1 rdfs:label "lies in"@en, "liegt in"@de .
"""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "graph.ttl"
    path.write_text(TURTLE, encoding="utf-8")
    return path


def test_names_and_descriptions_in_the_language_asked_for(graph: Path) -> None:
    def texts(mode: str, language: str) -> dict[str, str]:
        data = load_data(
            graph, texts=mode, on_missing="skip", languages=[language],
            valid_share=0, test_share=0,
        )  # type: ignore[arg-type] # fmt: skip
        ids = [entity.removeprefix("http://example.org/") for entity in data.entities]
        assert data.texts.relations == (("lies in",) if language == "en" else ("liegt in",))
        return dict(zip(ids, data.texts.entities, strict=True))

    assert texts("name", "en") == {"q1": "Lisbon", "q2": "Portugal"}
    assert texts("name", "de") == {"q1": "Lissabon", "q2": "Portugal"}
    assert texts("both", "en") == {"q1": "Lisbon: A city.", "q2": "Portugal: A country."}
    assert texts("description", "de") == {"q1": "Eine Stadt.", "q2": "Portugal"}


def test_what_is_no_fact_between_entities_is_left_out_and_counted(graph: Path) -> None:
    data = load_data(graph, on_missing="id", languages=["en"], valid_share=0, test_share=0)
    assert len(data.train) == 4 and len(data.entities) == 4 and len(data.relations) == 1
    assert "of 15 triples 10 are names and descriptions, and 1 have a literal" in data.notes[0]
    assert "2 of 4 entities have no text" in data.notes[1]
    with pytest.raises(DataError, match=r"graph.ttl: 2 of 4 entities have no text: '.*q3', '_:b"):
        load_data(graph, languages=["en"])


def test_a_graph_of_literals_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.nt"
    path.write_text('<http://e.org/a> <http://e.org/b> "c" .\n', encoding="utf-8")
    with pytest.raises(DataError, match="no triple between two entities"):
        load_data(path)


def test_a_graph_in_hand_is_what_its_file_is(graph: Path) -> None:
    rdflib = pytest.importorskip("rdflib")
    from_file = load_data(graph, on_missing="id", languages=["en"], seed=3)
    store = TripleStore.open(graph, languages=["en"])
    assert load_data(store, on_missing="id", seed=3).fingerprint == from_file.fingerprint
    assert load_data(store, on_missing="id", languages=["en"]).texts.relations == ("lies in",)
    parsed = rdflib.Graph().parse(graph)
    data = load_data(parsed, on_missing="id", languages=["en"], valid_share=0, test_share=0)
    texts = dict(zip(data.entities, data.texts.entities, strict=True))
    known = dict(zip(from_file.entities, from_file.texts.entities, strict=True))
    assert texts == known and data.path is None  # the blank node is _:b0 in both
    assert len(data.train) == 4 and data.notes[0].startswith("memory: of 15 triples 10 are names")
    with pytest.raises(SettingsError, match="was opened with en; ask for de where it is opened"):
        load_data(store, languages=["de"])
    with pytest.raises(DataError, match="list is no data set; give a name, a path or a graph"):
        load_data([1])


def test_a_graph_of_rdflib_that_no_file_could_hold_is_refused() -> None:
    rdflib = pytest.importorskip("rdflib")
    graph = rdflib.Graph()
    graph.add((rdflib.Literal("x"), rdflib.URIRef("http://e.org/p"), rdflib.Literal("y")))
    with pytest.raises(GraphError, match=r"rdflib graph: .*cannot have facts") as caught:
        load_data(graph)
    assert "\n" not in str(caught.value)
