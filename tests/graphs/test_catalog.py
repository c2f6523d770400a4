from __future__ import annotations

import errno
import gzip
import os
import pickle
from importlib.resources import files
from pathlib import Path

import pytest

import graphs.catalog
from graphs import GraphError, GraphNotFound, UnknownGraph, load
from graphs.catalog import CATALOG
from graphs.splits import Splits

TRIPLE = "北京\t首都\t中国\n"


def save(path: Path, text: str = TRIPLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def never(line: str) -> None:
    raise AssertionError(line)


def test_entries_say_what_a_user_needs() -> None:
    assert list(CATALOG) == ["cn_dbpedia", "cn_dbpedia_sample", "hownet", "medical", "none"]
    for name, entry in CATALOG.items():
        assert entry.name == name
        assert all((entry.title, entry.source, entry.licence, entry.format, entry.note))
    with pytest.raises(TypeError):
        CATALOG["mine"] = CATALOG["none"]  # type: ignore[index]


def test_none_is_the_empty_graph(tmp_path: Path) -> None:
    store = load("none", home=tmp_path, announce=never)
    assert (len(store), store.name) == (0, "none")


@pytest.mark.parametrize("suffix", [".spo", ".tsv", ".spo.gz", ".tsv.gz"])
@pytest.mark.parametrize("name", ["cn_dbpedia", "hownet", "medical"])
def test_a_named_graph_is_found_at_home(tmp_path: Path, name: str, suffix: str) -> None:
    save(tmp_path / "graphs" / f"{name}{suffix}")
    store = load(name, home=tmp_path, announce=never)
    assert (list(store), store.name) == ([("北京", "首都", "中国")], name)


def test_the_plain_file_comes_before_the_compressed_one(tmp_path: Path) -> None:
    save(tmp_path / "graphs" / "hownet.spo.gz", "a\tb\tc\n")
    save(tmp_path / "graphs" / "hownet.csv", "d,e,f\n")
    assert list(load("hownet", home=tmp_path)) == [("d", "e", "f")]


def test_the_compiled_graph_comes_before_every_file(tmp_path: Path) -> None:
    file = save(tmp_path / "graphs" / "hownet.spo", "a\tb\tc\n")
    graphs.compile([save(tmp_path / "kg.tsv")], tmp_path / "graphs" / "hownet")
    store = load("hownet", home=tmp_path, announce=never)
    assert (list(store), store.name) == ([("北京", "首都", "中国")], "hownet")
    assert store.path == tmp_path / "graphs" / "hownet"
    damaged = next(store.folder.data.glob("rows"))
    damaged.write_bytes(b"")
    with pytest.raises(GraphError, match="build the graph again"):
        load("hownet", home=tmp_path)  # rather than the file, which may be another graph
    (tmp_path / "graphs" / "medical").mkdir()  # no compiled graph
    file.rename(file.with_name("medical.spo"))
    assert list(load("medical", home=tmp_path)) == [("a", "b", "c")]


def test_a_compiled_folder_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs.compile([save(tmp_path / "kg.tsv")], tmp_path / "kg")
    monkeypatch.chdir(tmp_path)
    for given in ("kg", "./kg"):
        store = load(given, announce=never)
        assert (len(store), store.name, store.path) == (1, given, tmp_path / "kg")


def test_home_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "named" / "graphs" / "medical.spo")
    monkeypatch.setenv("KBERT_HOME", str(tmp_path / "named"))
    assert load("medical").name == "medical"


@pytest.mark.parametrize("value", [None, ""])
def test_home_is_in_the_user_s_cache_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KBERT_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("KBERT_HOME", value)
    save(tmp_path / ".cache" / "kbert" / "graphs" / "hownet.spo")
    assert load("hownet").name == "hownet"


@pytest.mark.parametrize("name", ["hownet", "medical"])
def test_a_graph_that_is_not_there_says_where_to_get_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(GraphNotFound) as caught:
        load(name, home=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "graphs" / f"{name}.spo") in message
    assert "github.com/autoliuweijie/K-BERT" in message and "licence" in message
    assert "\n" not in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_cn_dbpedia_falls_back_to_the_sample_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "package"
    save(package / "cn_dbpedia.spo", TRIPLE + "a\tb\tc\n")
    monkeypatch.setattr(graphs.catalog, "files", lambda _: package)
    lines: list[str] = []
    store = load("cn_dbpedia", home=tmp_path, announce=lines.append)
    assert (len(store), store.name) == (2, "cn_dbpedia_sample")
    assert len(lines) == 1 and "\n" not in lines[0]
    assert "this is cn_dbpedia_sample, the packaged sample of 2 triples" in lines[0]
    assert str(tmp_path / "graphs" / "cn_dbpedia.spo") in lines[0]
    assert capsys.readouterr() == ("", "")
    load("cn_dbpedia", home=tmp_path)
    assert capsys.readouterr() == ("", lines[0] + "\n")


def test_the_sample_keeps_a_name_when_the_full_graph_is_there(tmp_path: Path) -> None:
    before = load("cn_dbpedia", home=tmp_path, announce=lambda line: None)
    save(tmp_path / "graphs" / "cn_dbpedia.spo")
    save(tmp_path / "graphs" / "cn_dbpedia_sample.spo")  # what ships is meant, and nothing else
    assert load("cn_dbpedia", home=tmp_path).name == "cn_dbpedia"
    sample = load("cn_dbpedia_sample", home=tmp_path, announce=never)
    assert sample.fingerprint == before.fingerprint
    assert sample.name == before.name == "cn_dbpedia_sample"


def test_the_packaged_sample_is_large_enough_and_clean(tmp_path: Path) -> None:
    text = (files("graphs.sample") / "cn_dbpedia.spo").read_text(encoding="utf-8")
    store = load("cn_dbpedia", home=tmp_path, announce=lambda line: None)
    assert len(store) >= 1_500 and len(store.heads) >= 400
    assert store.duplicates == 0
    assert len(text.splitlines()) == len(store)


def test_a_path_is_opened_and_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("mine.tsv"))
    for given in ("mine.tsv", "./mine.tsv", str(tmp_path / "mine.tsv")):
        store = load(given, announce=never)
        assert (len(store), store.name) == (1, given)
    assert load(Path("mine.tsv")).name == "mine.tsv"


def test_a_file_does_not_shadow_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("hownet"))
    with pytest.raises(GraphNotFound):
        load("hownet", home=tmp_path)
    with pytest.raises(GraphError, match="unknown format"):
        load("./hownet", home=tmp_path)


def test_what_is_neither_name_nor_path(tmp_path: Path) -> None:
    with pytest.raises(UnknownGraph) as caught:
        load("hownett", home=tmp_path)
    message = str(caught.value)
    assert "cn_dbpedia, cn_dbpedia_sample, hownet, medical, none" in message
    assert message.endswith("did you mean 'hownet'?")
    with pytest.raises(UnknownGraph, match=r"absent\.spo"):
        load(tmp_path / "absent.spo")


def test_skipped_lines_are_announced(tmp_path: Path) -> None:
    path = save(tmp_path / "kg.spo", "bad\n" + TRIPLE + "worse\n")
    with pytest.raises(GraphError, match=r"kg\.spo:1: "):
        load(path)
    lines: list[str] = []
    store = load(path, on_error="skip", announce=lines.append)
    assert (len(store), store.skipped) == (1, 2)
    assert len(lines) == 1 and lines[0].startswith("2 bad lines skipped")
    assert f"{path}:1: " in lines[0]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"only\ttwo\n"])
def test_a_graph_file_without_a_triple_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "empty.tsv"
    file.write_bytes(content)
    with pytest.raises(GraphError, match=r"empty\.tsv: holds no triple .* called none"):
        load(file, on_error="skip", announce=lambda line: None)


def test_what_no_file_can_be_called_is_one_line(tmp_path: Path) -> None:
    long = str(tmp_path / ("x" * 300))
    for ask in (
        lambda: load(long),
        lambda: graphs.TripleStore.open(long),
        lambda: graphs.read_triples(f"{long}.tsv"),
        lambda: graphs.compile([long], tmp_path / "c"),
        lambda: graphs.compile([save(tmp_path / "kg.tsv")], long),
        lambda: Splits.open(long),
    ):
        with pytest.raises(GraphError, match=r"x(\.tsv)?: cannot be read: File name"):
            ask()


@pytest.mark.parametrize("name", ["kg.tsv", "", "none"])
def test_a_closed_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stat = Path.stat

    def closed(path: Path, **options: bool) -> os.stat_result:
        if tmp_path in path.parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", closed)
    for ask in (load, graphs.TripleStore.open, Splits.open):
        with pytest.raises(GraphError, match="cannot be read: Permission denied"):
            ask(tmp_path / name)


def test_a_name_that_is_also_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notes: list[str] = []
    assert load("cn_dbpedia_sample", announce=notes.append).name == "cn_dbpedia_sample"
    assert notes == []
    save(tmp_path / "cn_dbpedia_sample")
    load("cn_dbpedia_sample", announce=notes.append)
    assert len(notes) == 1 and notes[0].endswith("for what is here write ./cn_dbpedia_sample")


def test_a_large_file_is_worth_compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, notes = save(tmp_path / "kg.tsv", TRIPLE * 3), []
    monkeypatch.setattr("graphs.catalog._LARGE", 1)
    load(file, announce=notes.append)
    assert notes == [
        f"{file}: 1 triples were read into memory; `python -m graphs build` makes a folder of them"
        " that opens at once"
    ]
    graphs.compile([file], tmp_path / "c")
    load(tmp_path / "c", announce=never)


def test_a_language_that_does_not_occur_is_said(tmp_path: Path) -> None:
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    file = save(
        tmp_path / "kg.nt", f'<e:a> {label} "Berlin"@de .\n<e:a> <e:in> "Deutsch"@de-at .\n'
    )
    said: dict[str, list[str]] = {}
    for tag in ("de", "english", "de-at"):
        load(file, languages=[tag], announce=said.setdefault(tag, []).append)
    assert (said["de"], said["de-at"]) == ([], [])
    assert len(said["english"]) == 1 and "in the language 'english'" in said["english"][0]
    built: list[str] = []
    graphs.compile([file], tmp_path / "c", languages=["de", "zz"], announce=built.append)
    assert len(built) == 1 and "'zz'" in built[0]


def test_progress_counts_the_bytes_of_the_file(tmp_path: Path) -> None:
    file, sizes = save(tmp_path / "kg.tsv", TRIPLE * 1000), []
    load(file, progress=sizes.append)
    assert sum(sizes) == file.stat().st_size
