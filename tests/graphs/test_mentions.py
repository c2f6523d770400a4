from __future__ import annotations

import pickle
from collections.abc import Iterable
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import graphs
from graphs import GraphError, Mention, MentionIndex, TripleStore
from graphs.normal import NormalForm
from graphs.syntax.ntriples import format_triple
from graphs.terms import literal
from tests.graphs.brute_graph import ALT_LABEL as ALIAS
from tests.graphs.brute_graph import RDFS_LABEL as LABEL
from tests.graphs.brute_mentions import BruteLinker, in_word


def brute_force(names: Iterable[str], text: str, **options: Any) -> list[Mention]:
    distinct = dict.fromkeys(names)
    return BruteLinker(zip(distinct, distinct, strict=True), **options).find(text)


ALPHABET = "aabbAB1_ -.ßsSİiﬁfＡé\u0301苹苹果果手かｶﾞ가\u1100\u1161กำ\ufe0f"
short = st.text(ALPHABET, min_size=1, max_size=4)
few = st.text("ab果苹 ", min_size=1, max_size=5)


@settings(max_examples=400, deadline=None)
@given(
    names=st.lists(short, max_size=12) | st.lists(few, max_size=12),
    text=st.text(ALPHABET, max_size=30) | st.text("ab果苹 ", max_size=30),
    min_length=st.integers(1, 3),
    stop_names=st.lists(short, max_size=2),
    case_fold=st.booleans(),
    nfkc=st.booleans(),
)
@example(
    names=["ss", "ß"], text="Straße ß", min_length=1, stop_names=[], case_fold=True, nfkc=False
)
def test_find_equals_brute_force(names: list[str], text: str, **options: object) -> None:
    index = MentionIndex(names, **options)  # type: ignore[arg-type]
    assert index.find(text) == brute_force(names, text, **options)  # type: ignore[arg-type]
    assert len(index) + index.excluded == len(set(names))


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.integers(0, 7) | st.sampled_from(["a", " ", "苹", "果"]), max_size=12),
    names=st.lists(short, min_size=8, max_size=8),
    options=st.fixed_dictionaries({"case_fold": st.booleans(), "nfkc": st.booleans()}),
)
def test_texts_made_of_names(pieces: list, names: list[str], options: dict[str, bool]) -> None:
    text = "".join(names[piece] if isinstance(piece, int) else piece for piece in pieces)
    index = MentionIndex(names, min_length=1, **options)
    assert index.find(text) == brute_force(names, text, min_length=1, **options)


# --- Cases for a person to read. ------------------------------------------------------------------


def found(names: list[str], text: str, **options: object) -> list[str]:
    mentions = MentionIndex(names, **options).find(text)  # type: ignore[arg-type]
    return [mention.entity for mention in mentions]


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        (["苹果", "苹果手机壳"], "苹果手表", ["苹果"]),
        (["苹果", "苹果手机壳"], "苹果手机壳", ["苹果手机壳"]),
        (["cbb", "b"], "cb", []),
        (["苹果果", "果"], "苹果", ["果"]),
        (["Tim Cook"], "Tim Cooking", []),
        (["Tim Cook"], "Tim Cook正在访问北京", ["Tim Cook"]),
        (["Tim Cook", "Tim"], "Tim Cooking", ["Tim"]),
        (["Tim"], "Tim's, (Tim) Tim. _Tim Timo xTim Tim2", ["Tim"] * 3),
        (["cafe"], "cafe\u0301 cafe", ["cafe"]),
        (["서울"], "서울에서", ["서울"]),
        (["กรุงเทพ"], "ในกรุงเทพมี", ["กรุงเทพ"]),
        (["Beijing"], "❤\ufe0fBeijing", ["Beijing"]),
        (["NBA"], "看NBA比赛", ["NBA"]),
        (["a b", "b c"], "a b c", ["a b"]),
        (["C++"], "C++ und C++20", ["C++", "C++"]),
        (["北京"], "", []),
        ([], "北京", []),
    ],
)
def test_golden(names: list[str], text: str, expected: list[str]) -> None:
    assert found(names, text, min_length=1) == expected


def test_the_library_example() -> None:
    store = TripleStore.from_triples([("北京", "首都", "中国")])
    assert MentionIndex(store).find("我在北京") == [Mention(start=2, end=4, entity="北京")]


def test_a_store_gives_the_entities_that_have_facts() -> None:
    store = TripleStore.from_triples([("北京", "位于", "北京市区"), ("上海", "别名", "沪上")])
    index = MentionIndex(store)
    assert len(index) == 2
    assert [mention.entity for mention in index.find("北京市区沪上上海")] == ["北京", "上海"]


def test_short_and_stopped_names_are_counted() -> None:
    index = MentionIndex(["果", "苹果", "香蕉", "Ａ b"], stop_names=["香蕉", "a B"])
    assert (len(index), index.excluded) == (2, 2)
    index = MentionIndex(
        ["果", "苹果", "香蕉", "Ａ b"], stop_names=["香蕉", "a B"], case_fold=True, nfkc=True
    )
    assert (len(index), index.excluded) == (1, 3)
    assert MentionIndex(["苹果", "苹果"]).excluded == 0


def test_a_normal_form_finds_other_spellings_at_raw_offsets() -> None:
    options = {"case_fold": True, "nfkc": True}
    index = MentionIndex(["Straße", "ｶﾞﾑ", "FIFA"], **options)
    text = "in STRASSE, ガム, ﬁfa ﬁf"
    assert [(text[m.start : m.end], m.entity) for m in index.find(text)] == [
        ("STRASSE", "Straße"),
        ("ガム", "ｶﾞﾑ"),
        ("ﬁfa", "FIFA"),
    ]
    assert found(["fi"], "ﬁ", nfkc=True) == ["fi"]
    assert found(["苹f"], "苹ﬁ", nfkc=True) == []  # half a ligature is no match


def test_of_names_alike_the_one_spelled_as_the_text_wins_else_the_first() -> None:
    names = ["apple", "APPLE", "Apple"]
    assert found(names, "APPLE Apple apple aPPle", case_fold=True) == [
        "APPLE",
        "Apple",
        "apple",
        "apple",
    ]
    assert len(MentionIndex(names, case_fold=True)) == 3


def test_long_names() -> None:
    names = ["果" * n for n in (2, 254, 255, 256, 700)]
    assert [(m.start, m.end) for m in MentionIndex(names).find("果" * 701)] == [(0, 700)]
    assert [(m.start, m.end) for m in MentionIndex(names).find("果" * 513)] == [
        (0, 256),
        (256, 512),
    ]
    assert [m.end for m in MentionIndex(["x" * 300]).find("x" * 300 + " " + "x" * 301)] == [300]


@pytest.mark.parametrize("options", [{}, {"case_fold": True}, {"nfkc": True}])
def test_lone_surrogates_and_nul_in_text_do_no_harm(options: dict[str, bool]) -> None:
    text = "北京\ud800北\udc00京\0北京市\ud800\ud801北京"
    index = MentionIndex(["北京", "北京市长"], **options)
    assert [(m.start, m.end) for m in index.find(text)] == [(0, 2), (7, 9), (12, 14)]
    assert index.find("\ud800") == index.find("\0") == []


def test_every_name_is_found_in_itself() -> None:
    # More names than slots share their first characters: the table may guess, but never miss.
    names = [f"{a}{b}{c}" for a in "苹果手机" for b in "abcdefgh" for c in range(150)]
    names += [chr(0x4E00 + i) + chr(0x9FA5 - 7 * i) for i in range(2000)]
    index = MentionIndex(names)
    assert all(index.find(f"，{name}。") == [(1, 1 + len(name), name)] for name in names)


def test_wrong_arguments() -> None:
    with pytest.raises(GraphError, match="min_length is 0"):
        MentionIndex(["苹果"], min_length=0)
    with pytest.raises(GraphError, match="give a list"):
        MentionIndex("苹果")
    with pytest.raises(GraphError, match="give a list"):
        MentionIndex(["苹果"], stop_names="苹果")
    with pytest.raises(GraphError, match="7"):
        MentionIndex(["苹果", 7])  # type: ignore[list-item]
    for bad in ("\ud800a", "a\0b"):
        with pytest.raises(GraphError, match="is no text"):
            MentionIndex(["苹果", bad])


CITIES = [
    ("urn:b", LABEL, literal("Beijing")),
    ("urn:b", ALIAS, literal("Peking")),
    ("urn:b", ALIAS, literal("PEKING")),
    ("urn:i", LABEL, literal("Peking")),
    ("urn:q", LABEL, literal("Peking")),
    ("urn:q", "urn:in", "urn:i"),
    ("urn:q", "urn:near", "urn:z"),
    ("urn:i", "urn:in", "urn:w"),
    ("urn:x", "urn:called", literal("Peking")),
]


@pytest.fixture(params=["memory", "compiled"])
def cities(request: pytest.FixtureRequest, tmp_path: Path) -> TripleStore:
    path = tmp_path / "cities.nt"
    path.write_text("\n".join(starmap(format_triple, CITIES)), encoding="utf-8")
    if request.param == "memory":
        return TripleStore.open(path)
    forms = [NormalForm(case_fold=True, nfkc=False)]
    return graphs.compile([path], tmp_path / "cities", forms=forms)


def test_an_ambiguous_name_keeps_all_who_bear_it(cities: TripleStore) -> None:
    # Whose preferred name it is come first, of them who has more facts; a literal has none.
    index = MentionIndex(cities)
    assert index.candidates("Peking") == ("urn:q", "urn:i", "urn:b")
    among_all = [entity for entity in cities.candidates("Peking") if entity in cities.heads]
    assert among_all == ["urn:q", "urn:i", "urn:b"]
    assert index.find("to Peking!") == [Mention(3, 9, "urn:q")]
    assert index.candidates("PEKING") == ("urn:b",) and index.candidates("Pekin") == ()
    assert (len(index), index.excluded) == (5, 0)  # urn:x has no name


def test_who_is_spelt_so_comes_first_and_each_once(cities: TripleStore) -> None:
    index = MentionIndex(cities, case_fold=True)
    assert index.candidates("peking") == ("urn:q", "urn:i", "urn:b")
    assert index.candidates("PEKING") == ("urn:b", "urn:q", "urn:i")
    assert [m.entity for m in index.find("PEKING peking")] == ["urn:b", "urn:q"]


def test_only_some_are_looked_for(cities: TripleStore) -> None:
    index = MentionIndex(cities, only=["urn:b", "urn:w", "urn:unknown"])
    assert index.candidates("Peking") == ("urn:b",)
    assert [m.entity for m in index.find("Peking, Beijing")] == ["urn:b", "urn:b"]
    assert (len(index), index.excluded) == (3, 0)
    chosen = MentionIndex(cities, only=cities.heads_where(relations=["urn:near"]))
    assert chosen.find("Peking, Beijing") == [Mention(0, 6, "urn:q")]
    assert MentionIndex(cities, only=[]).find("Peking") == []
    with pytest.raises(GraphError, match="only is the text 'urn:b'; give a list"):
        MentionIndex(cities, only="urn:b")


def test_ties_are_in_the_order_of_the_source() -> None:
    # b is seen before c, and c has a fact before b has.
    rows = [("urn:a", "urn:r", "urn:b"), ("urn:c", "urn:r", "urn:d"), ("urn:b", "urn:r", "urn:e")]
    names = {"urn:c": ["Otto"], "urn:b": ["Otto"]}
    store = TripleStore.from_triples(rows, names=names)
    assert store.candidates("Otto") == ("urn:b", "urn:c") == MentionIndex(store).candidates("Otto")


def test_pickling_keeps_the_index() -> None:
    index = MentionIndex(["Straße", "strasse", "苹果"], case_fold=True, stop_names=["香蕉"])
    copy = pickle.loads(pickle.dumps(index))
    text = "STRASSE苹果Straße香蕉"
    assert copy.find(text) == index.find(text) != []
    assert (len(copy), copy.excluded, repr(copy)) == (3, 0, repr(index))


@pytest.mark.data
def test_real_names_in_real_sentences(data_dir: Path) -> None:
    store = TripleStore.open(data_dir / "kg" / "HowNet.spo")
    names, index = set(store.heads), MentionIndex(store)
    with (data_dir / "zh" / "chnsenticorp" / "dev.tsv").open(encoding="utf-8") as file:
        texts = [line.rstrip("\n").split("\t")[1] for line in file][:300]
    total = 0
    for text in texts:
        expected, start = [], 0
        while start < len(text):
            for end in range(min(len(text), start + 20), start, -1):
                if text[start:end] in names and is_free(text, start) and is_free(text, end):
                    expected.append((start, end, text[start:end]))
                    start = end
                    break
            else:
                start += 1
        assert index.find(text) == expected
        total += len(expected)
    assert total > 500


def is_free(text: str, cut: int) -> bool:
    return not (0 < cut < len(text) and in_word(text[cut - 1]) and in_word(text[cut]))
