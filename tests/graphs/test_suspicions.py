"""Each kind of suspicious name is found, counted and shown, and ordinary names are left alone."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import TripleStore
from graphs.suspicions import EXAMPLES, LONG, Suspicion, find_suspicions


def found(*triples: tuple[str, str, str]) -> dict[str, Suspicion]:
    return {each.kind: each for each in find_suspicions(TripleStore.from_triples(triples))}


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("short", "a"), ("short", "京"),
        ("wordless", "1984"), ("wordless", "3.14"), ("wordless", "2020-01-01"), ("wordless", "--"),
        ("long", "a" * (LONG + 1)),
        ("control", "a\u200bb"), ("control", "a\nb"), ("control", "a\x1bb"),
        ("control", "\ufeffab"), ("control", "a\u202eb"), ("control", "co\u00adop"),
        ("padded", " ab"), ("padded", "ab "), ("padded", "ab\u3000"),
        ("escaped", "a&amp;b"), ("escaped", r"\u4e2d国"), ("escaped", "%E4%B8%AD"),
        ("escaped", "&#20013;"), ("escaped", r"a\nb"),
        ("broken", "caf\ufffd"),
        ("address", "http://example.org/a"), ("address", "<http://example.org/a>"),
        ("address", "_:b0"), ("address", "www.example.org"),
    ],
)  # fmt: skip
def test_every_kind_is_found(kind: str, head: str) -> None:
    kinds = found((head, "is", "thing"))
    assert kinds[kind].cases == 1 and kinds[kind].examples == (head,)
    assert kinds[kind].meaning


@pytest.mark.parametrize(
    "name",
    [
        "北京",
        "New York",
        "C++",
        "AT&T",
        "100% juice",
        "3M公司",
        "a-b",
        "naïve",
        "شرکت‌ها",
        "𝒜b",
        "iOS 7",
    ],
)
def test_ordinary_names_are_not_suspicious(name: str) -> None:
    assert found((name, "is", "1"), ("other", "was", name)) == {}


def test_tails_may_be_numbers_short_or_long() -> None:
    assert found(("ab", "is", "7"), ("ab", "was", "x" * 99)) == {}
    assert set(found(("ab", "is", "x\x00y".replace("\x00", "\x01")))) == {"control"}


def test_loops_and_relations_among_entities() -> None:
    kinds = found(("ab", "is", "ab"), ("cd", "is", "cd"), ("is", "of", "ab"))
    assert (kinds["loop"].cases, kinds["loop"].examples) == (2, ("ab", "cd"))
    assert kinds["relation"].examples == ("is",)


def test_names_that_differ_in_case_or_width_are_shown_together() -> None:
    kinds = found(
        *(
            (head, "is", "thing")
            for head in ("Apple", "Pear", "ＡＰＰＬＥ", "PEAR", "apple", "fig")
        ),
        ("fig", "was", "FIG"),
    )
    assert kinds["alike"].cases == 5
    assert kinds["alike"].examples == ("Apple", "ＡＰＰＬＥ", "apple", "Pear", "PEAR")


def test_examples_are_the_first_few_and_all_are_counted() -> None:
    kinds = found(*((f"{number}", "is", "x") for number in range(10, 40)))
    assert kinds["wordless"].cases == 30
    assert kinds["wordless"].examples == tuple(map(str, range(10, 10 + EXAMPLES)))


def test_names_of_rdf_are_looked_at_instead_of_ids(tmp_path: Path) -> None:
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    file = tmp_path / "kg.nt"
    file.write_text(
        f'<http://x/1> {label} "Paris" .\n<http://x/2> {label} "Paris" .\n'
        f'<http://x/3> {label} "x" .\n_:b <http://x/r> <http://x/1> .\n'
    )
    kinds = {each.kind: each for each in find_suspicions(TripleStore.open(file))}
    assert set(kinds) == {"shared", "short", "unnamed"}
    assert kinds["shared"].examples == ("http://x/1", "http://x/2")
    assert kinds["short"].examples == ("http://x/3",)
    assert kinds["unnamed"].examples == ("_:b",)


names = st.text("aA1 \u200b\n&;%E4京", min_size=1, max_size=4).filter(str.strip)


@given(st.lists(st.tuples(names, st.just("rel"), names), max_size=12))
def test_counts_are_those_of_brute_force(triples: list[tuple[str, str, str]]) -> None:
    heads = {head for head, _, _ in triples}
    everyone = heads | {tail for _, _, tail in triples}
    folded = Counter(
        unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", head).casefold())
        for head in heads
    )
    expected = {
        "short": sum(len(head) == 1 for head in heads),
        "wordless": sum(not any(char.isalpha() for char in head) for head in heads),
        "control": sum("\n" in name or "\u200b" in name for name in everyone),
        "padded": sum(name != name.strip() for name in everyone),
        "alike": sum(count for count in folded.values() if count > 1),
        "loop": len({triple for triple in triples if triple[0] == triple[2]}),
    }
    kinds = found(*triples)
    assert {kind: kinds[kind].cases if kind in kinds else 0 for kind in expected} == expected


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    store = TripleStore.from_triples((f"{n}", "is", f"\u200b{n}") for n in range(20))
    whole = find_suspicions(store)
    monkeypatch.setattr("graphs.suspicions._CHUNK", 3)
    assert find_suspicions(store) == whole and len(whole) >= 3
