from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import GraphError, redundancy
from graphs.filters import FilterIndex
from graphs.leakage import leakage
from graphs.leakage_report import Figures, LeakageReport
from graphs.splits import Splits

entity, relation = st.sampled_from("abcd"), st.sampled_from("rst")
triples = st.lists(st.tuples(entity, relation, entity), max_size=14)
records = triples | st.lists(
    st.tuples(entity, relation, entity, st.sampled_from([1, -1])), max_size=14
)


def true(part: list) -> list:
    return [tuple(each[:3]) for each in part if each[3:] != (-1,)]


def redundant(known: set, *, threshold: float) -> dict:
    """Find redundant relations as the definition says it, with sets of pairs."""
    relations = sorted({r for _, r, _ in known})
    pairs = {r: {(h, t) for h, s, t in known if s == r} for r in relations}
    apart = {r: {(h, t) for h, t in pairs[r] if h != t} for r in relations}
    turned = {r: {(t, h) for h, t in apart[r]} for r in relations}
    found = {}
    for i, r in enumerate(relations):
        for s in relations[i:]:
            for kind, one, other in (
                ("duplicate", pairs[r], pairs[s]),
                ("symmetric" if r == s else "inverse", apart[r], turned[s]),
            ):
                both = len(one & other)
                if (kind, r) == ("duplicate", s) or not both:
                    continue
                if min(both / len(one), both / len(other)) > threshold:
                    found[kind, frozenset((r, s))] = both
    return found


def figures(lines: list, *, train: list, pairs: dict) -> Figures:
    """Count one part line by line."""
    known, counts = set(true(train)), Counter(lines=len(lines), triples=len(true(lines)))
    relations = {r for _, r, _ in known} | {r for kind in pairs for r in kind[1]}
    for h, r, t in true(lines):
        others = relations - {r}
        backward = {s for s in others if (t, s, h) in known} if h != t else set()
        parallel = {s for s in others if (h, s, t) in known}
        marks = {
            "repeated": (h, r, t) in known,
            "reversed": h != t and (t, r, h) in known,
            "inverse": any(("inverse", frozenset((r, s))) in pairs for s in backward),
            "backward": bool(backward),
            "duplicate": any(("duplicate", frozenset((r, s))) in pairs for s in parallel),
            "parallel": bool(parallel),
        }
        counts.update(name for name, mark in marks.items() if mark)
        counts["linked"] += any(marks.values())
    entities = {e for h, _, t, *_ in train for e in (h, t)}
    seen = {each[1] for each in train}
    counts["unseen"] = sum(not ({h, t} <= entities and r in seen) for h, r, t, *_ in lines)
    return Figures(**{name: counts[name] for name in Figures.__dataclass_fields__})


@given(records, records, records, st.sampled_from([0.0, 0.4, 0.8]))
def test_the_report_agrees_with_counting_line_by_line(
    train: list, dev: list, test: list, threshold: float
) -> None:
    report = leakage(Splits.from_triples(train, dev, test), threshold=threshold)
    known = set(true(train) + true(dev) + true(test))
    pairs = redundant(known, threshold=threshold)
    found = {(each.kind, frozenset((each.first, each.second))): each for each in report.pairs}
    assert {key: each.shared for key, each in found.items()} == pairs
    for part, lines in ((report.dev, dev), (report.test, test)):
        assert part.total == figures(lines, train=train, pairs=pairs)
        by_relation = Counter(each[1] for each in lines)
        assert {r: each.lines for r, each in part.by_relation.items()} == by_relation
        for r, each in part.by_relation.items():
            own = [line for line in lines if line[1] == r]
            assert each == figures(own, train=train, pairs=pairs)
    for key, each in found.items():
        assert each.test == sum(given_away(line, key, set(true(train))) for line in true(test))
        assert each.dev == sum(given_away(line, key, set(true(train))) for line in true(dev))


def given_away(triple: tuple, pair: tuple, known: set) -> bool:
    """Say whether `triple` follows from train by this pair of redundant relations."""
    (h, r, t), (kind, both) = triple, pair
    if r not in both:
        return False
    other = next(iter(both - {r}), r)
    return (h, other, t) in known if kind == "duplicate" else h != t and (t, other, h) in known


@given(records, records, records)
def test_each_part_is_described_as_sets_do(train: list, dev: list, test: list) -> None:
    report = leakage(Splits.from_triples(train, dev, test))
    parts = {"train": train, "dev": dev, "test": test}
    for name, lines in parts.items():
        part = getattr(report, name)
        assert (part.lines, part.triples) == (len(lines), len(true(lines)))
        assert part.repeats == len(lines) - len(set(lines))
        false = [each[:3] for each in lines if each[3:] == (-1,)]
        assert part.contradicted == sum(each in true(train) for each in false)
    distinct = {name: set(true(lines)) for name, lines in parts.items()}
    assert report.overlap == {
        f"{one}-{other}": len(distinct[one] & distinct[other])
        for one, other in (("train", "dev"), ("train", "test"), ("dev", "test"))
    }
    for part, lines in ((report.dev, dev), (report.test, test)):
        ends = [{e for h, _, t, *_ in some for e in (h, t)} for some in (lines, train)]
        links = [{each[1] for each in some} for some in (lines, train)]
        assert part.unseen_entities == len(ends[0] - ends[1])
        assert part.unseen_relations == len(links[0] - links[1])
    rendered = report.render()
    assert rendered == rendered.strip() and "\n\n\n" not in rendered
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_a_threshold_is_a_share(threshold: float) -> None:
    with pytest.raises(GraphError, match="must be a share from 0 to below 1"):
        leakage(Splits.from_triples([], [], []), threshold=threshold)


def test_entities_joined_by_very_many_relations_take_no_square_of_time() -> None:
    many = 20_000
    assert many > redundancy.MAX_RELATIONS_OF_A_PAIR
    train = [("a", f"r{i}", "b") for i in range(many)]
    test = [("b", f"r{i}", "a") for i in range(many)]
    report = leakage(Splits.from_triples(train, [], test))
    assert report.pairs == ()
    assert report.test.total.reversed == report.test.total.backward == many


@given(triples, st.integers(1, 3))
def test_chunks_change_nothing(known: list, size: int) -> None:
    splits = Splits.from_triples(known, [], [])
    index = FilterIndex.build(splits)
    with pytest.MonkeyPatch.context() as patch:
        whole = redundancy.relation_pairs(index, relations=3, threshold=0)
        patch.setattr(redundancy, "_CHUNK", size)
        assert redundancy.relation_pairs(index, relations=3, threshold=0) == whole
        for backward in (False, True):
            rows = splits.train.rows
            parts = list(redundancy.companions(rows, index=index, backward=backward))
            joined = Counter(
                (int(place), int(other))
                for part in parts
                for place, other in zip(part.places, part.others, strict=True)
            )
            expected = Counter(
                (place, int(other))
                for place, (h, _, t) in enumerate(rows.T.tolist())
                if not (backward and h == t)
                for other in (index.relations(t, h) if backward else index.relations(h, t))
            )
            assert joined == expected


def report_of(data_dir: Path, name: str) -> LeakageReport:
    return leakage(Splits.open(data_dir / "kgc" / name))


@pytest.mark.data
def test_a_third_of_wn18rr_is_reversed_in_train(data_dir: Path) -> None:
    report = report_of(data_dir, "WN18RR")
    total, by_relation = report.test.total, report.test.by_relation
    assert (total.reversed, total.triples) == (1086, 3134)
    assert round(100 * total.reversed / total.triples, 1) == 34.7
    symmetric = {"_derivationally_related_form": (1011, 1074), "_verb_group": (38, 39)}
    for name, expected in {**symmetric, "_also_see": (34, 56)}.items():
        assert (by_relation[name].reversed, by_relation[name].lines) == expected
    assert (report.test.unseen_entities, total.unseen) == (209, 210)
    assert (report.dev.unseen_entities, report.dev.total.unseen) == (198, 210)
    found = {pair.first for pair in report.pairs if pair.kind == "symmetric"}
    assert found == {*symmetric, "_similar_to"} and len(report.pairs) == 3
    assert report.texts.sharing == 0


@pytest.mark.data
def test_no_pair_of_fb15k_237_is_linked_in_train(data_dir: Path) -> None:
    report = report_of(data_dir, "FB15k-237")
    assert report.dev.total.linked == report.test.total.linked == 0
    assert (report.test.unseen_entities, report.dev.unseen_entities) == (29, 8)
    assert (report.texts.sharing, report.texts.groups) == (499, 223)
    assert report.texts.largest["Washington County"] == 7
    # Relations are redundant all the same: only dev and test lack their other halves.
    assert len(report.pairs) == 23
    assert {pair.dev + pair.test for pair in report.pairs} == {0}


@pytest.mark.data
def test_the_negatives_of_wn11_and_fb13_contradict_train(data_dir: Path) -> None:
    """Of the published test triples in train each is a negative; no true one is in train."""
    report = report_of(data_dir, "WN11")
    assert report.train.repeats == 2220
    assert (report.test.contradicted, report.dev.contradicted) == (7, 1)
    assert report.test.total.repeated == report.dev.total.repeated == 0
    assert report.overlap == {"train-dev": 0, "train-test": 0, "dev-test": 31}
    assert (report.texts.sharing, report.texts.largest["break"]) == (8773, 32)
    assert round(100 * report.texts.sharing / report.entities) == 23
    report = report_of(data_dir, "FB13")
    assert (report.test.contradicted, report.dev.contradicted) == (40, 10)
    assert report.test.total.repeated == report.train.repeats == 0
    assert report.overlap["dev-test"] == 0
    inverse = [pair for pair in report.pairs if pair.kind == "inverse"]
    assert [(pair.first, pair.second) for pair in inverse] == [("children", "parents")]


@pytest.mark.data
def test_redundant_relations_of_nations_agree_with_sets(data_dir: Path) -> None:
    splits = Splits.open(data_dir / "kgc" / "nations")
    known = {each for part in ("train", "dev", "test") for each in named(splits, part)}
    pairs = {(p.kind, frozenset((p.first, p.second))): p.shared for p in leakage(splits).pairs}
    assert pairs == redundant(known, threshold=0.8)
    assert len(pairs) > 20


def named(splits: Splits, part: str) -> list:
    return list(map(tuple, splits.triples(np.asarray(getattr(splits, part).rows))))
