"""The packaged graph keeps what the documents promise of it."""

from __future__ import annotations

import re
from collections import Counter
from importlib import resources

import pytest

from graphs import TripleStore


@pytest.fixture(scope="module")
def sample() -> TripleStore:
    with resources.as_file(resources.files("graphs.sample") / "cn_dbpedia.spo") as file:
        return TripleStore.open(file)


def test_it_holds_as_much_as_promised(sample: TripleStore) -> None:
    assert len(sample) >= 1500 and len(sample.heads) >= 400
    assert sample.duplicates == 0
    kinds = Counter(fact.tail for head in sample.heads for fact in sample.facts(head)[:1])
    assert sum(count >= 20 for kind, count in kinds.items()) >= 10


def test_values_are_short_and_clean(sample: TripleStore) -> None:
    for head, relation, tail in sample:
        assert len(head) >= 2 and len(tail) <= 20
        assert not re.search(r"[《》()（）\[\]\t]|^\s|\s$", head + relation + tail)
        if re.search("[\u4e00-\u9fff]", tail):
            assert " " not in tail


def test_every_entity_has_facts_in_one_place(sample: TripleStore) -> None:
    order = [triple.head for triple in sample]
    changes = [head for i, head in enumerate(order) if i == 0 or order[i - 1] != head]
    assert len(changes) == len(set(changes)) == len(sample.heads)
    assert all(len(sample.facts(head)) >= 3 for head in sample.heads)
