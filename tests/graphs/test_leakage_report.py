from __future__ import annotations

from graphs.leakage import leakage
from graphs.leakage_report import Figures, LeakageReport
from graphs.splits import Splits


def toy() -> LeakageReport:
    """`of` and `has` are inverse, `near` is symmetric, `in` duplicates `of`."""
    people = [f"p{i}" for i in range(10)]
    train = [(p, "of", "x") for p in people[:9]] + [("x", "has", p) for p in people]
    train += [(p, "in", "x") for p in people]
    train += [("a", "near", "b"), ("b", "near", "a"), ("c", "near", "d"), ("a", "likes", "b")]
    test = [("p9", "of", "x"), ("d", "near", "c"), ("b", "likes", "a"), ("d", "likes", "new")]
    texts = {p: "person" for p in people} | {"a": "one", "b": "one", "c": "two"}
    return leakage(Splits.from_triples(train, [], test, name="toy", texts=texts))


def test_a_toy_gives_the_figures_that_it_was_made_for() -> None:
    report = toy()
    assert report.test.total == Figures(
        lines=4, triples=4, repeated=0, reversed=2, inverse=1, backward=2,
        duplicate=1, parallel=2, linked=3, unseen=1,
    )  # fmt: skip
    assert {(p.kind, p.first, p.second, p.shared, p.test) for p in report.pairs} == {
        ("inverse", "of", "has", 10, 1),
        ("duplicate", "of", "in", 10, 1),
        ("inverse", "has", "in", 10, 0),
        ("symmetric", "near", "near", 4, 1),
    }
    assert all(pair.share_of_first == pair.share_of_second == 1 for pair in report.pairs)
    assert list(report.test.by_relation) == ["likes", "of", "near"]
    texts = report.texts
    assert (texts.with_text, texts.without_text, texts.sharing, texts.groups) == (13, 3, 12, 2)
    assert texts.largest == {"person": 10, "one": 2}


def test_tables_say_what_the_figures_are() -> None:
    text = toy().render()
    assert text.startswith("toy: 16 entities, 5 relations\n\npart ")
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert "train 33 33 0 0" in rows
    assert "reversed, by the same relation 0 - 2 50.0%" in rows
    assert "inverse of has 10 100.0% 100.0% 0 1" in rows
    assert "texts: 13 entities have one, 3 have none; 12 (92.3%) share theirs, in 2 groups" in rows
    assert "unseen entities 0 1" in rows


def test_long_tables_are_cut_and_say_so_and_names_cannot_break_them() -> None:
    relations = [f"关系{i:02}" for i in range(30)] + ["a\x1b[2Jb\rc", "x" * 100]
    test = [("a", each, "b") for each in relations]
    report = leakage(Splits.from_triples([("a", "r", "c")], [], test, name="n\nm"))
    text = report.render()
    assert "… and 22 more" in text
    assert text.startswith("n\\nm:") and "\x1b" not in text and "\r" not in text
    assert max(map(len, text.splitlines())) < 200
    assert len(report.to_dict()["test"]["by_relation"]) == 32
    first = leakage(Splits.from_triples([], [], test[-2:])).render()
    assert "a\\x1b[2Jb\\rc" in first and "…" + "x" * 39 in first


def test_nothing_at_all_gives_a_report_of_zeros() -> None:
    report = leakage(Splits.from_triples([], [], []))
    assert report.test.total == Figures(**dict.fromkeys(Figures.__dataclass_fields__, 0))
    assert "texts: none" in report.render()
    assert "redundant relations (over 80%): none" in report.render()
