"""The packaged data set is what its script makes, is clean, and has the structure it promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.make_sample_triples import INSOLUBLE, KINDS, METALS, SOLUBLE, write
from graphs.redundancy import relation_pairs
from kgbert.data import load_data
from kgbert.lint import lint_data, lint_folder
from kgbert.negatives import NegativeSampler

FOLDER = Path(__file__).resolve().parents[2] / "kgbert" / "sample"


def test_the_files_are_what_the_script_makes(tmp_path: Path) -> None:
    write(tmp_path)
    files = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".tsv", ".txt"))
    assert files == sorted(path.name for path in tmp_path.iterdir()) and len(files) == 6
    for name in files:
        assert (FOLDER / name).read_bytes() == (tmp_path / name).read_bytes()


def test_it_is_clean() -> None:
    assert lint_folder(FOLDER) == []
    for mode in ("name", "both"):
        data = load_data("sample", texts=mode)  # type: ignore[arg-type]
        assert data.notes == () and lint_data(data) == []
    assert data.name == "sample" and len(data.train) > 400


def test_nothing_is_unseen_and_every_relation_is_tested() -> None:
    data = load_data("sample")
    for part in ("valid", "test"):
        triples = data.triples(part)  # type: ignore[arg-type]
        assert set(triples[:, [0, 2]].ravel()) <= set(data.train[:, [0, 2]].ravel())
        assert len(triples) >= 50
    assert set(data.train[:, 1]) == set(range(len(data.relations)))


def test_no_compound_both_dissolves_and_does_not() -> None:
    soluble, insoluble = (
        {(kind, metal) for kind, metals in table.items() for metal in metals}
        for table in (SOLUBLE, INSOLUBLE)
    )
    assert not soluble & insoluble
    assert {kind for kind, _ in soluble | insoluble} == set(KINDS)
    assert {metal for _, metal in soluble | insoluble} == set(METALS)


def test_its_relations_are_symmetric_and_inverse_as_said() -> None:
    data = load_data("sample")
    known = data.filter("train", "valid", "test")
    pairs = {
        (pair.kind, frozenset({data.relations[pair.first], data.relations[pair.second]}))
        for pair in relation_pairs(known, relations=len(data.relations))
    }
    assert pairs == {
        ("symmetric", frozenset({"same_group_as"})),
        ("inverse", frozenset({"salt_of", "has_salt"})),
    }


def test_negatives_can_be_made_of_all() -> None:
    data = load_data("sample")
    sizes = {"entities": len(data.entities), "relations": len(data.relations)}
    known = data.filter("train", "valid", "test")
    sampler = NegativeSampler(data.train, per_positive=5, known=known, **sizes)
    drawn = sampler.sample(0, np.arange(len(data.train))).reshape(-1, 3)
    assert not known.contains(drawn.T).any()
