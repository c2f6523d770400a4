"""What is made from settings: notes on names that are not there, and texts for a vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import MentionIndex, TripleStore
from graphs.normal import NormalForm
from kbert.builder import _vocabulary_texts, load_graph, unknown_names
from kbert.examples import Splits, TextExample
from kbert.settings import TrainSettings

PLAIN = NormalForm(case_fold=False, nfkc=False)
FOLDED = NormalForm(case_fold=True, nfkc=True)
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
X = "http://x.org/"
RDF = [
    (f"{X}1", LABEL, '"Beijing"@en'),
    (f"{X}1", LABEL, '"北京"@zh'),
    (f"{X}1", f"{X}capitalOf", f"{X}2"),
    (f"{X}2", LABEL, '"China"@en'),
    (f"{X}2", f"{X}near", "_:b"),
]


def test_stop_names_that_no_entity_has() -> None:
    store = TripleStore.from_triples([("Apple", "是", "水果"), ("北京", "是", "城市")])
    names = ["Apple", "apple", "城市", "沪", "沪", "ＡＰＰＬＥ", "是"]
    assert unknown_names(names, store, form=PLAIN) == ("apple", "沪", "ＡＰＰＬＥ", "是")
    assert unknown_names(names, store, form=FOLDED) == ("沪", "是")
    assert unknown_names([], store, form=FOLDED) == ()
    assert unknown_names(names, TripleStore.from_triples([]), form=PLAIN) == ()
    named = TripleStore.from_triples([*RDF, (f"{X}2", f"{X}motto", '"Great Wall"@en')])
    for form in (PLAIN, FOLDED):  # the text of a literal is no name of an entity
        assert unknown_names(["Great Wall"], named, form=form) == ("Great Wall",)
    assert unknown_names(["great wall"], named, form=FOLDED) == ("great wall",)
    names = ["Beijing", "北京", "beijing", f"{X}1", "Shanghai"]
    assert unknown_names(names, named, form=PLAIN) == ("beijing", "Shanghai")
    assert unknown_names(names, named, form=FOLDED) == ("Shanghai",)


@given(
    names=st.lists(st.text("aAéÉＡ", min_size=1, max_size=2), max_size=5),
    stops=st.lists(st.text("aAéÉＡ", min_size=1, max_size=2), max_size=3),
    form=st.builds(NormalForm, st.booleans(), st.booleans()),
)
def test_a_stop_name_is_known_if_it_stops_a_name(
    names: list[str], stops: list[str], form: NormalForm
) -> None:
    store = TripleStore.from_triples([(name, "r", "t") for name in names])
    options = {"min_length": 1, "case_fold": form.case_fold, "nfkc": form.nfkc}
    unknown = unknown_names(stops, store, form=form)
    for stop in stops if names else []:
        stopped = MentionIndex(store, stop_names=[stop], **options).excluded  # type: ignore[arg-type]
        assert (stop in unknown) == (stopped == 0)


def test_names_that_are_not_there_are_noted_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tmp_path / "g.tsv"
    graph.write_text("北京\t是\t城市\n", encoding="utf-8")
    load_graph(TrainSettings(kg=str(graph), stop_names=("北京", "沪", "x y")))
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert notes == [f"note: --stop-names: 2 of 3 name no entity of {graph}: '沪', 'x y'"]
    load_graph(TrainSettings(kg=str(graph), stop_names=(*"abcdef", "a", "北京")))
    note = f"note: --stop-names: 6 of 7 name no entity of {graph}: 'a', 'b', 'c', 'd', 'e', …\n"
    assert capsys.readouterr().err.endswith(note)
    load_graph(TrainSettings(kg=str(graph), stop_names=("北京",)))
    load_graph(TrainSettings(kg="none", stop_names=("沪",), kg_languages=("zh",)))
    assert "note" not in capsys.readouterr().err
    load_graph(TrainSettings(kg=str(graph), kg_languages=("zh",)))
    note = f"note: --kg-languages: {graph} has no names in any language\n"
    assert capsys.readouterr().err.endswith(note)


def test_a_vocabulary_learns_words_not_ids() -> None:
    splits = Splits((TextExample("我爱", None, "a", "f:1"),), (), ())

    def texts(store: TripleStore) -> list[str]:
        return [text for text in _vocabulary_texts(splits, store) if text]

    plain = TripleStore.from_triples([("北京", "是", "城市")])
    assert texts(plain) == ["我爱", "北京 是 城市"]
    chinese = TripleStore.from_triples(RDF, languages=["zh"])
    assert "http" not in "".join(texts(chinese))
    assert texts(chinese)[3] == "北京 capital of China"
    assert texts(TripleStore.from_triples(RDF, languages=["en"]))[3] == "Beijing capital of China"
