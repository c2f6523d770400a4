"""A summary adds up, whatever the graph."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from graphs.summary import HUBS, summarise

letters = st.text("abc", min_size=1, max_size=2)


@given(st.lists(st.tuples(letters, letters, letters), max_size=25))
def test_figures_add_up(triples: list[tuple[str, str, str]]) -> None:
    store = TripleStore.from_triples(triples)
    summary = summarise(store)
    assert summary.triples == len(set(triples)) == sum(each.triples for each in summary.relations)
    assert summary.entities == sum(each.entities for each in summary.facts)
    assert summary.entities == sum(each.entities for each in summary.incoming)
    assert summary.heads == len({head for head, _, _ in triples})
    assert summary.duplicates == len(triples) - len(set(triples))
    sizes = [each.triples for each in summary.relations]
    assert sizes == sorted(sizes, reverse=True)
    totals = {
        entity: sum(entity == triple[0] for triple in store) + sum(entity == t for *_, t in store)
        for entity in store.entities
    }
    ranked = sorted(totals, key=lambda entity: -totals[entity])  # stable, as the summary is
    assert [hub.entity for hub in summary.hubs] == ranked[:HUBS]
    assert all(hub.facts + hub.incoming == totals[hub.entity] for hub in summary.hubs)
    assert json.loads(json.dumps(summary.to_dict()))["triples"] == summary.triples


def test_literals_are_counted_by_language_and_type(tmp_path: Path) -> None:
    file = tmp_path / "kg.nt"
    number = "<http://www.w3.org/2001/XMLSchema#integer>"
    terms = ['"a"', '"a"@en', '"b"@en', '"c"@zh', f'"1"^^{number}', "<http://x/b>"]
    file.write_text("".join(f"<http://x/a> <http://x/r> {term} .\n" for term in terms))
    summary = summarise(TripleStore.open(file))
    assert list(summary.languages.items()) == [("en", 2), ("", 1), ("zh", 1)]
    assert summary.datatypes == {number.strip("<>"): 1}


def test_text_in_quotes_is_no_literal_unless_it_is_whole() -> None:
    summary = summarise(TripleStore.from_triples([("a", "r", '"x'), ("a", "r", 'y"')]))
    assert summary.languages == {} and not summary.named


def test_of_the_empty_graph_all_is_zero() -> None:
    summary = summarise(TripleStore.from_triples([]))
    assert (summary.triples, summary.components, summary.largest) == (0, 0, 0)
    assert summary.facts == summary.hubs == summary.suspicions == ()
