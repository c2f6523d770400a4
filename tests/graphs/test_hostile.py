"""What the fuzz run found, and what is large or empty rather than wrong."""

import json
import time
from pathlib import Path

import pytest

import graphs
from graphs import GraphError, MentionIndex, ParseError, TripleStore, read_triples, selection
from graphs.__main__ import main
from graphs.compiled.folder import MANIFEST, seal_of
from graphs.export import Format, export
from graphs.opening import MAX_LINE
from graphs.readers import RDF_SUFFIXES, SUFFIXES

LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
HUGE = "x" * 70_000


def refusal(path: Path) -> str:
    """Return the one line with which `path` is refused."""
    with pytest.raises(GraphError) as found:
        TripleStore.open(path)
    message = str(found.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) <= 1000
    return message


@pytest.mark.parametrize(
    ("name", "text", "end"),
    [
        ("a.owl", f'<?xml version="1.0" encoding="{HUGE}"?><a/>', "save the file as UTF-8"),
        ("a.rdf", f'<a xmlns:r="{RDF}" r:nodeID="a {HUGE}"/>', "x"),
        ("a.ttl", f"{HUGE}:a <b:> <c:> .", "declare it with @prefix"),
        ("a.csv", f"a,b,{HUGE},d", ""),
        ("a.tsv", HUGE, ""),
        ("a.nt", f"<a:> <b:> <c:> {HUGE} .", ""),
    ],
)
def test_a_message_does_not_quote_without_end(
    tmp_path: Path, name: str, text: str, end: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert refusal(path).endswith(end)


@pytest.mark.parametrize("hidden", ["\0", "\x1b[2J", "\x9b2J", "\u2028", "\u202e"])
def test_a_message_shows_what_would_move_the_cursor(tmp_path: Path, hidden: str) -> None:
    path = tmp_path / "a.jsonld"
    path.write_text(json.dumps({"@context": {"p": {"@id": hidden}}, "p": [{"@id": "a"}]}))
    assert "\n" not in refusal(path)
    named = tmp_path / f"a{hidden.strip(chr(0))}.spo"
    named.write_text("no triple")
    with pytest.raises(ParseError) as found:
        list(read_triples(named))
    assert str(found.value).isprintable()
    assert str(found.value).endswith("1 fields instead of 3 (head, relation, tail): 'no triple'")


@pytest.mark.parametrize("length", [999, 1000, 1001, 5000])
@pytest.mark.parametrize("char", ["x", "\x1b"])
def test_a_message_keeps_its_beginning_and_its_end(length: int, char: str) -> None:
    text = "begin" + char * (length - 8) + "end"
    for error in (GraphError(text), ParseError(text, file="f.nt", line=1)):
        said = str(error)
        assert len(said) <= 1000 and said.isprintable()
        assert said.startswith(("begin", "f.nt:1: begin")) and said.endswith("end")
        assert (said == text) == (char == "x" and length <= 1000 and type(error) is GraphError)


def test_a_forged_manifest_is_not_shown_whole(tmp_path: Path) -> None:
    source = tmp_path / "a.spo"
    source.write_text("a\tb\tc\n")
    built = graphs.compile([source], tmp_path / "built")
    assert built.path is not None
    manifest = json.loads((built.path / MANIFEST).read_bytes()) | {"version": [HUGE]}
    data = json.dumps(manifest).encode()
    (place,) = built.path.glob("data-*")
    place.rename(built.path / f"data-{seal_of(data)}")
    (built.path / MANIFEST).write_bytes(data)
    assert refusal(built.path).endswith("build the graph again")


@pytest.mark.parametrize("format", ["nt", "nq", "tsv"])
def test_what_no_line_can_hold_is_not_exported(tmp_path: Path, format: Format) -> None:
    path = tmp_path / f"a.{format}"
    most = MAX_LINE - len("h\tr\t" if format == "tsv" else "<h:> <r:> <t:> .")
    for size, is_held in ((most, True), (most + 1, False)):
        tail = "x" * size if format == "tsv" else "t:" + "x" * size
        triple = ("h", "r", tail) if format == "tsv" else ("h:", "r:", tail)
        store = TripleStore.from_triples([triple])
        if is_held:
            export(store, path)
            assert list(read_triples(path)) == [triple]
            path.unlink()
            continue
        with pytest.raises(GraphError, match="line of more than 1048576 bytes"):
            export(store, path)
        assert list(tmp_path.iterdir()) == []


def test_text_that_grows_when_it_is_written_is_not_exported(tmp_path: Path) -> None:
    source = tmp_path / "a.spo"
    source.write_text(f"头\t是\t{'城' * (MAX_LINE // 3 - 10)}\n")
    store = TripleStore.open(source)
    with pytest.raises(GraphError, match="write it as parquet"):
        export(store, tmp_path / "a.nt")
    for format in ("tsv", "ttl"):
        export(store, tmp_path / f"b.{format}")
        assert list(read_triples(tmp_path / f"b.{format}")) == list(store)


@pytest.mark.parametrize("is_loose", [False, True])
@pytest.mark.parametrize("only", [False, True])
def test_a_name_of_very_many_is_found_in_time(is_loose: bool, only: bool) -> None:
    """A thousand mentions of a name of 50,000 entities took a minute."""
    count = 50_000
    triples = [(f"e:{i}", LABEL, '"Anna"') for i in range(count)]
    store = TripleStore.from_triples(
        [*triples, *((f"e:{i}", "e:p", "e:thing") for i in range(count))]
    )
    heads = selection.make("first", store).heads()[7:] if only else None
    index = MentionIndex(store, case_fold=is_loose, only=heads)
    text = "Anna anna " * 500
    start = time.perf_counter()
    found = index.find(text)
    assert time.perf_counter() - start < 5
    assert {mention.entity for mention in found} == {"e:7" if only else "e:0"}
    assert len(found) == (1000 if is_loose else 500)
    assert len(index.candidates("Anna")) == count - 7 * only


def test_of_very_many_the_one_spelt_so_is_meant() -> None:
    names = {f"e:{i}": ["Anna" if i != 90 else "ANNA"] for i in range(200)}
    store = TripleStore.from_triples(((e, "e:p", "e:x") for e in names), names=names)
    index = MentionIndex(store, case_fold=True)
    found = [mention.entity for mention in index.find("anna Anna ANNA")]
    assert found == ["e:0", "e:0", "e:90"]
    assert index.candidates("ANNA")[:2] == ("e:90", "e:0")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_no_graph(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    text = tmp_path / "text.txt"
    text.write_text("a\n")
    for arguments in (
        ["info", path],
        ["facts", path, "a"],
        ["link", path, "a"],
        ["export", path, "--format", "nt"],
        ["coverage", path, text],
        ["build", path, "-o", tmp_path / "built"],
    ):
        assert main([str(argument) for argument in arguments]) == 2
        output, said = capsys.readouterr()
        assert output == ""
        assert said.count("error: ") == 1 and str(path) in said.splitlines()[-1]
    assert not (tmp_path / "built").exists()


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if "." not in suffix[1:]])
@pytest.mark.parametrize("codec", ["utf-16", "utf-32-le"])
def test_another_encoding_is_refused(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a{suffix}"
    documents = {".jsonld": '{"e:p": "x"}', ".csv": "a,b,c\n", ".spo": "a\tb\tc\n"}
    document = documents.get(
        suffix, "a\tb\tc\n" if suffix not in RDF_SUFFIXES else "<a:> <b:> <c:> ."
    )
    path.write_bytes(document.encode(codec))
    assert ":1: " in refusal(path)


def test_cycles_end_in_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ring.tsv"
    path.write_text("".join(f"n{i}\tr\tn{(i + 1) % 50}\n" for i in range(50)) + "n0\tr\tn0\n")
    for arguments in (["info"], ["facts", "n0", "--incoming"], ["link", "n0 n1"]):
        assert main([arguments[0], str(path), *arguments[1:]]) == 0
    assert "components" in capsys.readouterr().out
