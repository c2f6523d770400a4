"""The packaged task is what it says: one person a sentence, disjoint persons, one deciding fact."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from pathlib import Path

import graphs
from benchmarks.make_sample_task import FIELDS, PATTERNS, make, persons_by_field, text_of
from graphs import MentionIndex, TripleStore

FOLDER = Path(str(resources.files("kbert.sample")))
STORE = TripleStore.open(Path(str(resources.files("graphs.sample"))) / "cn_dbpedia.spo")


def rows(split: str) -> list[tuple[str, str]]:
    lines = (FOLDER / f"{split}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [(label, text) for label, text in (line.split("\t") for line in lines)]


def test_the_files_are_what_the_script_makes() -> None:
    for split, content in make(STORE).items():
        assert (FOLDER / f"{split}.tsv").read_text(encoding="utf-8") == text_of(content)


def test_each_sentence_mentions_one_person_and_the_label_is_that_persons_field() -> None:
    field_of = {person: f for f, persons in persons_by_field(STORE).items() for person in persons}
    index = MentionIndex(STORE)
    for split in ("train", "dev", "test"):
        for label, text in rows(split):
            (mention,) = index.find(text)
            assert field_of[mention.entity] == label


def test_persons_of_the_splits_are_disjoint_and_labels_balanced() -> None:
    index = MentionIndex(STORE)
    people = {s: {index.find(text)[0].entity for _, text in rows(s)} for s in ("train", "dev")}
    people["test"] = {index.find(text)[0].entity for _, text in rows("test")}
    assert not people["train"] & people["dev"] and not people["test"] & people["train"]
    assert not people["test"] & people["dev"] and len(people["test"]) >= 100
    for split in people:
        assert len(set(Counter(label for label, _ in rows(split)).values())) == 1


def test_the_deciding_fact_is_among_the_two_that_are_injected() -> None:
    for persons in persons_by_field(STORE).values():
        for person in persons:
            assert "职业" in [fact.relation for fact in STORE.facts(person)[:2]]


def test_no_pattern_tells_a_field() -> None:
    words = {tail for jobs in FIELDS.values() for tail in jobs} | set(FIELDS)
    assert not [p for p in PATTERNS for word in words if word in p]
    for pattern in PATTERNS:  # nothing but the person is a mention
        assert not MentionIndex(STORE).find(pattern.format("某某"))


def test_the_catalogue_falls_back_to_the_sample(tmp_path: Path) -> None:
    said: list[str] = []
    store = graphs.load("cn_dbpedia", home=tmp_path, announce=said.append)
    assert store.fingerprint == STORE.fingerprint and "sample" in said[0]
