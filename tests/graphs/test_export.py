"""Reading what was written gives the graph back, and what a format cannot hold is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
from collections import Counter
from pathlib import Path

import networkx
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphs import GraphError, TripleStore, UnknownFormat, read_triples
from graphs.export import FORMATS, Format, check, export, format_of, write
from graphs.syntax.turtle_writer import PREFIXES
from graphs.terms import literal

IRI = "http://example.org/"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
INTEGER = "http://www.w3.org/2001/XMLSchema#integer"

some_paths = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

plain = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=12
).filter(lambda text: not text.isspace())
literals = st.builds(
    literal,
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8),
    language=st.sampled_from(["", "en", "zh-hant"]),
)
numbers = st.integers().map(lambda value: literal(str(value), datatype=INTEGER))
iris = st.sampled_from(
    [IRI + "a", IRI + "b#c", LABEL, TYPE, PREFIXES["schema"] + "Person", PREFIXES["schema"] + "a/b",
     PREFIXES["schema"], "urn:graphs:x", "urn:x:é%20", "mailto:a@b.org"]
)  # fmt: skip
nasty = st.sampled_from(
    ['"', '"a', '"a"@EN', '"a"^^<b>', "<a>", "_:", "_:a b", "a\tb", "a\nb", "\ufeffa", "a\r", "a ."]
)
blanks = st.sampled_from(["_:a", "_:b0", "_:a.b", "_:é"])
names = st.one_of(plain, iris, nasty)
heads = st.one_of(names, blanks)
tails = st.one_of(names, blanks, literals, numbers)


def graph(triples: st.SearchStrategy) -> st.SearchStrategy[TripleStore]:
    return st.lists(triples, max_size=8).map(TripleStore.from_triples)


@some_paths
@given(
    store=graph(st.tuples(st.one_of(heads, literals), st.one_of(heads, literals), tails)),
    format=st.sampled_from(["nt", "nq"]),
    packed=st.sampled_from(["", ".gz"]),
)
def test_ntriples_and_nquads_give_every_graph_back(
    tmp_path: Path, store: TripleStore, format: Format, packed: str
) -> None:
    file = tmp_path / f"kg.{format}{packed}"
    export(store, file)
    assert list(read_triples(file)) == list(store)


@some_paths
@given(store=graph(st.tuples(heads, names, tails)))
def test_tab_separated_values_give_back_what_they_hold(tmp_path: Path, store: TripleStore) -> None:
    """Each graph is refused or given back, and refused only where it would not come back."""
    file = tmp_path / "kg.tsv"
    written = "".join("\t".join(triple) + "\n" for triple in store)
    try:
        export(store, file)
    except GraphError:
        file.write_text(written, encoding="utf-8", newline="\n")
        with contextlib.suppress(GraphError):
            assert list(read_triples(file)) != list(store)
    else:
        assert list(read_triples(file)) == list(store)


@some_paths
@given(
    store=graph(
        st.tuples(
            st.sampled_from(["a", "b", IRI + "x"]) | names,
            st.sampled_from(["r", TYPE]) | names,
            st.one_of(names, literals, numbers),
        )
    )
)
def test_turtle_gives_every_graph_without_blank_nodes_back(
    tmp_path: Path, store: TripleStore
) -> None:
    file = tmp_path / "kg.ttl"
    export(store, file)
    assert list(read_triples(file)) == list(store)


@given(
    store=graph(
        st.tuples(
            st.sampled_from(["a", "_:x", IRI + "x"]), st.sampled_from(["r", TYPE, LABEL]),
            st.one_of(names, literals, numbers, st.sampled_from(["_:x", "_:y1"])),
        )
    )
)  # fmt: skip
def test_other_libraries_read_the_same_from_turtle_as_from_ntriples(store: TripleStore) -> None:
    rdflib = pytest.importorskip("rdflib")
    compare = pytest.importorskip("rdflib.compare")
    found = []
    for format, name in (("ttl", "turtle"), ("nt", "nt")):
        parsed = rdflib.Graph()
        parsed.parse(data=text_of(store, format), format=name)
        found.append(parsed)
    assert len(found[0]) == len(store)
    assert compare.isomorphic(*found)


def text_of(store: TripleStore, format: Format) -> str:
    file = io.BytesIO()
    write(store, file, format=format)
    return file.getvalue().decode("utf-8")


def test_turtle_reads_well() -> None:
    schema = PREFIXES["schema"]
    store = TripleStore.from_triples(
        [
            (IRI + "a", TYPE, schema + "Person"),
            (IRI + "a", LABEL, '"Ada"@en'),
            (IRI + "a", LABEL, '"7"^^<http://www.w3.org/2001/XMLSchema#integer>'),
            (IRI + "b", schema + "a/b", "_:x"),
        ]
    )
    body = text_of(store, "ttl").split("\n\n", 1)[1]
    assert body == (
        "<http://example.org/a> a schema:Person ;\n"
        '    rdfs:label "Ada"@en ,\n'
        '        "7"^^xsd:integer .\n'
        "\n"
        "<http://example.org/b> <https://schema.org/a/b> _:x .\n"
    )


def networkx_triples(file: Path) -> Counter[tuple[str, str, str]]:
    network = networkx.read_graphml(file, force_multigraph=True)
    entity = networkx.get_node_attributes(network, "entity")
    return Counter(
        (entity[head], data["relation"], entity[tail])
        for head, tail, data in network.edges(data=True)
    )


in_xml = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&\"'"),
    min_size=1,
    max_size=8,
).filter(lambda text: not text.isspace())


@some_paths
@given(store=graph(st.tuples(in_xml, in_xml, in_xml)))
def test_networkx_reads_graphml_back(tmp_path: Path, store: TripleStore) -> None:
    file = tmp_path / "kg.graphml"
    export(store, file)
    assert networkx_triples(file) == Counter(tuple(triple) for triple in store)


def test_graphml_holds_the_names(named: TripleStore, tmp_path: Path) -> None:
    export(named, tmp_path / "kg.graphml")
    network = networkx.read_graphml(tmp_path / "kg.graphml")
    assert network.nodes["n0"] == {"entity": IRI + "a", "name": "Ada"}
    assert network.is_directed() and network.number_of_nodes() == len(named.entities)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> TripleStore:
    file = tmp_path_factory.mktemp("named") / "kg.nt"
    file.write_text(
        f'<{IRI}a> <{LABEL}> "Ada"@en .\n<{IRI}a> <{IRI}knows> <{IRI}b> .\n'
        f"<{IRI}a> <{IRI}knows> _:x .\n"
    )
    return TripleStore.open(file)


@some_paths
@given(store=graph(st.tuples(names, names, tails)))
def test_parquet_gives_every_graph_back(tmp_path: Path, store: TripleStore) -> None:
    file = tmp_path / "kg.parquet"
    export(store, file)
    table = pyarrow.parquet.read_table(file)
    assert table.column_names[:3] == ["head", "relation", "tail"]
    rows = [(row["head"], row["relation"], row["tail"]) for row in table.to_pylist()]
    assert rows == [tuple(triple) for triple in store]


def test_parquet_holds_the_names_beside_the_ids(named: TripleStore, tmp_path: Path) -> None:
    export(named, tmp_path / "kg.parquet")
    rows = pyarrow.parquet.read_table(tmp_path / "kg.parquet").to_pylist()
    assert [(row["head_name"], row["relation_name"], row["tail_name"]) for row in rows] == [
        ("Ada", "label", "Ada"),
        ("Ada", "knows", None),
        ("Ada", "knows", None),
    ]
    assert [row["tail"] for row in rows] == [triple.tail for triple in named]


@pytest.mark.parametrize("format", FORMATS)
def test_chunks_join_without_a_gap(
    tmp_path: Path, format: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphs.export._CHUNK", 3)
    monkeypatch.setattr("graphs.export._ROWS", 3)
    store = TripleStore.from_triples((f"h{i % 5}", "r", f"t{i}") for i in range(7))
    file = tmp_path / f"kg.{format}"
    export(store, file)
    if format == "graphml":
        assert networkx_triples(file) == Counter(map(tuple, store))
    elif format == "parquet":
        assert pyarrow.parquet.read_table(file)["tail"].to_pylist() == [f"t{i}" for i in range(7)]
        assert pyarrow.parquet.ParquetFile(file).num_row_groups == 3
    else:
        assert list(read_triples(file)) == list(store)


@pytest.mark.parametrize(
    ("triple", "format", "offender", "character"),
    [
        (("a", "r", "b\tc"), "tsv", r"'b\tc'", "TAB"),
        (("a\nb", "r", "c"), "tsv", r"'a\nb'", "line feed"),
        (("a", "r\tr", "c"), "tsv", r"'r\tr'", "TAB"),
        (("a", "r", "c\r"), "tsv", r"'c\r'", "carriage return"),
        (("\ufeffa", "r", "c"), "tsv", r"'\ufeffa'", "byte order mark"),
        (("a", "r", "b\x0bc"), "graphml", r"'b\x0bc'", "U+000B"),
        (("a", "r\x1b", "b"), "graphml", r"'r\x1b'", "U+001B"),
        (("a", "r", "b\uffff"), "graphml", r"'b\uffff'", "U+FFFF"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_by_name(
    tmp_path: Path, triple: tuple[str, str, str], format: Format, offender: str, character: str
) -> None:
    fine = [] if triple[0].startswith("\ufeff") else [("x", "r", "y")]
    second = tuple(f"z{part}" for part in triple)
    store = TripleStore.from_triples([*fine, triple, second])
    with pytest.raises(GraphError) as caught:
        export(store, tmp_path / f"kg.{format}")
    message = str(caught.value)
    assert offender in message and character in message and "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_carriage_return_within_a_line_is_no_reason(tmp_path: Path) -> None:
    store = TripleStore.from_triples([("a\r", "r\r", "b\rc"), ("b\ufeff", "r", "\ufeffc")])
    export(store, tmp_path / "kg.tsv")
    assert list(read_triples(tmp_path / "kg.tsv")) == list(store)


STORE = TripleStore.from_triples([("a", "r", "b")])


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("kg.nt", None, "nt"), ("KG.NT.GZ", None, "nt"), ("kg.spo", None, "tsv"),
        ("kg.spo", "tsv", "tsv"), ("kg.dat", "ttl", "ttl"), ("kg", "parquet", "parquet"),
        ("", "nq", "nq"),
    ],
)  # fmt: skip
def test_suffix_or_format_name_the_format(name: str, format: str | None, expected: str) -> None:
    assert format_of(name, format=format) == expected


@pytest.mark.parametrize(
    ("name", "format", "said"),
    [
        ("kg.dat", None, "names no format"), ("kg", None, "names no format"),
        ("kg.csv", None, "names no format"), ("kg.nt", "ttl", "suffix says nt"),
        ("kg.csv", "tsv", "suffix says csv"), ("kg.nt.zst", "nt", "suffix says zst"),
        ("kg.rdf", "nt", "suffix says rdf"), ("kg.x", "turtle", "no format 'turtle'"),
        ("kg.x", "parket", "did you mean 'parquet'"),
    ],
)  # fmt: skip
def test_no_format_is_guessed(name: str, format: str | None, said: str) -> None:
    with pytest.raises(UnknownFormat, match=said):
        format_of(name, format=format)


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kg.nt"
    file.write_text("old")

    def fail(*arguments: object, **named: object) -> str:
        assert len(list(tmp_path.iterdir())) == 2
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graphs.export.format_triple", fail)
    with pytest.raises(GraphError, match=r"kg\.nt: cannot be written: No space left"):
        export(STORE, file)
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    file, link = tmp_path / "kg.nt", tmp_path / "link.nt"
    file.write_text("old")
    link.symlink_to(file)
    export(STORE, link)
    assert link.is_symlink() and list(read_triples(file)) == [("a", "r", "b")]


def test_a_written_file_has_the_rights_of_any_other(tmp_path: Path) -> None:
    export(STORE, tmp_path / "kg.nt")
    (tmp_path / "other").write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "kg.nt"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        export(STORE, pipe)
        assert os.read(reader, 100).endswith(b" .\n")
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("where", ["folder.nt", "missing/kg.nt", "file/kg.nt"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, where: str) -> None:
    (tmp_path / "folder.nt").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(GraphError) as caught:
        export(STORE, tmp_path / where)
    assert where in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    for format in (*FORMATS, "nt.gz"):
        for name in ("one", "two"):
            export(STORE, tmp_path / f"{name}.{format}")
        same = [(tmp_path / f"{name}.{format}").read_bytes() for name in ("one", "two")]
        assert same[0] == same[1]
    assert (
        gzip.decompress((tmp_path / "one.nt.gz").read_bytes()) == (tmp_path / "one.nt").read_bytes()
    )


@pytest.mark.parametrize("format", FORMATS)
def test_the_empty_graph_can_be_written(tmp_path: Path, format: Format) -> None:
    empty = TripleStore.from_triples([])
    check(empty, format=format)
    export(empty, tmp_path / f"kg.{format}")
    if format in ("nt", "nq", "tsv", "ttl"):
        assert list(read_triples(tmp_path / f"kg.{format}")) == []
