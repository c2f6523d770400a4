"""KG-BERT's published folders load unchanged, and their known quirks are counted and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kgbert.data import KnowledgeData, load_data
from kgbert.lint import lint_data
from kgbert.text_files import read_text_file

pytestmark = pytest.mark.data


def load(data_dir: Path, name: str, **options: Any) -> KnowledgeData:
    folder = data_dir / "kgc" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return load_data(folder, **options)


def sizes(data: KnowledgeData) -> tuple[int, ...]:
    parts = (data.train, data.valid, data.test)
    return (*map(len, parts), len(data.entities), len(data.relations))


def test_umls(data_dir: Path) -> None:
    data = load(data_dir, "UMLS")
    assert sizes(data) == (5216, 652, 661, 135, 46) and data.notes == ()
    assert data.texts.entity(data.entities.index("steroid")) == "steroid"
    assert data.texts.relation(data.relations.index("interacts_with")) == "interacts with"
    both = load(data_dir, "UMLS", texts="both")
    steroid = both.texts.entity(both.entities.index("steroid"))
    assert steroid.startswith("steroid: A steroid is a biologically active organic compound")


@pytest.mark.parametrize(("name", "wanted"), [
    ("nations", (1592, 199, 201, 14, 55)),
    ("CN100K", (100_000, 1200, 1200, 78_339, 34)),
])  # fmt: skip
def test_folders_whose_ids_are_their_texts(
    data_dir: Path, name: str, wanted: tuple[int, ...]
) -> None:
    data = load(data_dir, name, on_missing="id")
    assert sizes(data) == wanted and len(data.notes) == 2
    assert all("their ids are read" in note for note in data.notes)


def test_wn18rr_has_names_and_glosses(data_dir: Path) -> None:
    data = load(data_dir, "WN18RR", texts="both")
    assert sizes(data) == (86_835, 3034, 3134, 40_943, 11) and data.notes == ()
    entity = data.entities.index("14854262")
    assert data.texts.entity(entity) == "stool, solid excretory product evacuated from the bowels"
    # Every text as KG-BERT reads it.
    whole = read_text_file(data_dir / "kgc" / "WN18RR" / "entity2text.txt").texts
    assert [whole[key] for key in data.entities] == list(data.texts.entities)


@pytest.mark.slow
def test_fb15k_237_has_texts_of_others_and_escapes(data_dir: Path) -> None:
    data = load(data_dir, "FB15k-237", texts="description")
    assert sizes(data) == (272_115, 17_535, 20_466, 14_541, 237)
    assert data.notes[0].endswith("entity2text.txt: 410 texts are of no entity in the triples")
    assert data.notes[1].endswith("58 entities have no description; their name is read")
    names = load(data_dir, "FB15k-237")
    found = {each.kind: each.times for part in (data, names) for each in lint_data(part)}
    assert found["entities that share their text with another"] == 499
    assert found['texts of entities with an escape such as \\n or \\"'] > 1000


@pytest.mark.slow
def test_wn11_and_fb13_are_labelled(data_dir: Path) -> None:
    data = load(data_dir, "WN11")
    assert sizes(data) == (112_581, 5218, 21_088, 38_588, 11)
    assert data.train_labels is None
    assert data.test_labels is not None and data.test_labels.mean() == 0.5
    assert "train: 2,220 of 112,581 lines have a triple of an earlier line" in data.notes
    assert "test: 7 of 21,088 triples labelled false are true in train" in data.notes
    found = {each.kind: each.times for each in lint_data(data)}
    assert found == {"entities that share their text with another": 8773}
    data = load(data_dir, "FB13")
    assert sizes(data) == (316_232, 11_816, 47_466, 75_043, 13)
    assert "test: 40 of 47,466 triples labelled false are true in train" in data.notes
    assert lint_data(data) == []
