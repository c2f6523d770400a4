from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs.errors import GraphError, ParseError
from graphs.folders import find_graph_files, read_names, read_relation_names
from graphs.readers import ReadReport, read_triples

KG_BERT = ("entities.txt", "entity2text.txt", "relation2text.txt", "train_5.tsv")


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def names_in(folder: Path, text: str, *, file: str = "entity2text.txt") -> dict[str, tuple]:
    (folder / file).write_bytes(text.encode())
    return dict(read_names(folder))


@pytest.mark.parametrize(
    ("present", "triples", "left_out"),
    [
        (["train.tsv", "dev.tsv", "test.tsv"], "train.tsv", ["dev.tsv", "test.tsv"]),
        (["test.txt", "valid.txt", "train.txt"], "train.txt", ["valid.txt", "test.txt"]),
        (["train.tsv.gz", "dev.tsv.zst"], "train.tsv.gz", ["dev.tsv.zst"]),
        (["train.tsv"], "train.tsv", []),
        (["wikidata5m_all_triplet.txt.gz"], "wikidata5m_all_triplet.txt.gz", []),
        (
            [
                "wikidata5m_all_triplet.txt",
                "wikidata5m_inductive_train.txt",
                "wikidata5m_transductive_train.txt",
                "wikidata5m_transductive_test.txt",
                "wikidata5m_inductive_valid.txt",
                "wikidata5m_text.txt",
            ],
            "wikidata5m_transductive_train.txt",
            [
                "wikidata5m_inductive_train.txt",
                "wikidata5m_all_triplet.txt",
                "wikidata5m_transductive_test.txt",
                "wikidata5m_inductive_valid.txt",
            ],
        ),
    ],
)
def test_the_training_triples_are_the_graph(
    tmp_path: Path, present: list[str], triples: str, left_out: list[str]
) -> None:
    files = find_graph_files(make(tmp_path, *present, *KG_BERT))
    assert files.triples == tmp_path / triples
    assert [path.name for path in files.left_out] == left_out
    note = f"{tmp_path}: the graph is {triples}; left out: {', '.join(left_out)}"
    assert files.notes() == ([note] if left_out else [])


@pytest.mark.parametrize("twice", [("train.tsv", "train.txt"), ("train.tsv", "train.tsv.gz")])
def test_two_files_of_one_part_are_refused(tmp_path: Path, twice: tuple[str, str]) -> None:
    with pytest.raises(GraphError, match=f"holds {twice[0]} and {twice[1]}; keep one"):
        find_graph_files(make(tmp_path, *twice))
    make(tmp_path, "entity2text.txt", "entity2text.txt.zst")
    with pytest.raises(GraphError, match=r"entity2text\.txt and entity2text\.txt\.zst; keep one"):
        read_names(tmp_path)


@pytest.mark.parametrize("present", [(), ("dev.tsv", "entity2text.txt"), ("kg.tsv",), ("train",)])
def test_another_folder_is_refused(tmp_path: Path, present: tuple[str, ...]) -> None:
    with pytest.raises(GraphError, match="is a folder without") as caught:
        find_graph_files(make(tmp_path, *present))
    assert "\n" not in str(caught.value)
    (tmp_path / "train.tsv").mkdir()
    with pytest.raises(GraphError, match="is a folder without"):
        find_graph_files(tmp_path)


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_wikidata5m_is_read_with_its_aliases(tmp_path: Path, packed: str) -> None:
    compress = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}
    contents = {
        "transductive_train": "Q22686\tP39\tQ11696\n",
        "transductive_test": "Q22686\tP27\tQ30\n",
        "entity": "Q22686\tdonnie trump\t45th chief, again\tdonnie trump\nQ30\tUSA\t \tthe US\n",
        "relation": "P39\tposition held\tholds position\nP27\n",
    }
    for name, text in contents.items():
        path = tmp_path / f"wikidata5m_{name}.txt{packed}"
        path.write_bytes(compress[packed](text.encode()))
    assert list(read_triples(tmp_path)) == [("Q22686", "P39", "Q11696")]
    assert list(read_names(tmp_path)) == [
        ("Q22686", ("donnie trump", "45th chief, again")),
        ("Q30", ("USA", "the US")),
    ]
    assert list(read_relation_names(tmp_path)) == [
        ("P39", ("position held", "holds position")),
        ("P27", ()),
    ]


def test_texts_are_names_and_glosses_are_cut_off(tmp_path: Path) -> None:
    glossed = "1\tstool, solid matter, as it leaves the body\n2\tOhio, a state in the Midwest"
    assert names_in(tmp_path, glossed) == {"1": ("stool",), "2": ("Ohio",)}
    one_without = glossed + "\n3\tplain"
    assert names_in(tmp_path, one_without)["1"] == ("stool, solid matter, as it leaves the body",)


def test_names_with_commas_are_no_glosses(tmp_path: Path) -> None:
    for names in ("1\tCurie, Marie\n2\tGooding, Cuba Jr.\n", "1\tOxford, Ohio\n"):
        expected = {line[0]: (line[2:],) for line in names.splitlines()}
        assert names_in(tmp_path, names) == expected


def test_lines_of_names_that_are_odd(tmp_path: Path) -> None:
    text = "\ufeffa\t A \r\n\nb\tB\tignored\nc\t \nd\ne\tNA\n"
    expected = {"a": ("A",), "b": ("B",), "c": (), "d": (), "e": ("NA",)}
    assert names_in(tmp_path, text) == expected
    for bad in ("\tA\n", " \tA\n", "a\tA\0\n"):
        with pytest.raises(ParseError, match=r"entity2text\.txt:2: "):
            names_in(tmp_path, "x\tX\n" + bad)


def test_short_texts_are_names_before_summaries(tmp_path: Path) -> None:
    make(tmp_path, "entity2textshort.txt")
    assert names_in(tmp_path, "a\tA was a person of whom much could be said.\n") == {}
    assert names_in(tmp_path, "a\tA\n", file="entity2textshort.txt") == {"a": ("A",)}


def test_without_files_of_names_there_are_none(tmp_path: Path) -> None:
    assert list(read_names(make(tmp_path, "train.tsv", "entity2textlong.txt"))) == []
    assert list(read_relation_names(tmp_path)) == []


word = st.text("abc", min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(word, st.lists(word, min_size=4, max_size=6)), min_size=1, max_size=5))
def test_a_glossed_file_gives_what_stands_before_the_comma(tmp_path: Path, rows: list) -> None:
    lines = [f"{number}\t{name}, {' '.join(gloss)}" for number, (name, gloss) in enumerate(rows)]
    expected = {str(number): (name,) for number, (name, _) in enumerate(rows)}
    assert names_in(tmp_path, "\n".join(lines)) == expected


@pytest.mark.data
def test_published_folders_give_names(data_dir: Path) -> None:
    firsts = {
        "WN18RR": ("14854262", ("stool",), 40_943, 11),
        "FB15k-237": ("/m/06rf7", ("Schleswig-Holstein",), 14_951, 237),
        "WN11": ("__east_indian_1", ("east indian",), 38_588, 11),
        "FB13": ("daniel_bensaid", ("daniel bensaid",), 75_043, 13),
        "UMLS": ("idea_or_concept", ("idea or concept",), 135, 46),
    }
    for folder, (entity, names, entities, relations) in firsts.items():
        found = list(read_names(data_dir / "kgc" / folder))
        assert found[0] == (entity, names) and len(found) == entities
        assert all(each for _, each in found)
        assert sum(1 for _ in read_relation_names(data_dir / "kgc" / folder)) == relations
    assert dict(read_names(data_dir / "kgc" / "FB15k-237"))["/m/03bnb"] != ()
    report = ReadReport()
    assert next(read_triples(data_dir / "kgc" / "UMLS", report=report))[1] == "location_of"
    assert report.notes[0].endswith("the graph is train.tsv; left out: dev.tsv, test.tsv")
