from __future__ import annotations

import gzip
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphs
from graphs import GraphError, MentionIndex, ParseError, TripleStore
from graphs.compiled.folder import MANIFEST
from graphs.progress import Progress
from graphs.syntax.ntriples import format_triple
from tests.graphs.brute_graph import NAMING, NODES, PLAIN, RELATIONS, BruteGraph, check

part = st.sampled_from(PLAIN)
plain = st.lists(st.tuples(part, part, part), min_size=1, max_size=15)
term = st.sampled_from(NODES)
rdf = st.lists(
    st.tuples(term, st.sampled_from([*RELATIONS, *NAMING]), term), min_size=1, max_size=15
)


def save(path: Path, triples: Sequence[tuple[str, str, str]]) -> Path:
    bare = path.name.removesuffix(".gz")
    lines = [format_triple(*t).rstrip() if bare.endswith(".nt") else "\t".join(t) for t in triples]
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save(tmp_path / "kg.tsv", [("北京", "首都", "中国"), ("苹果", "类别", "水果")])


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@settings(max_examples=25)
@given(st.lists(plain, min_size=1, max_size=3) | st.lists(rdf, min_size=1, max_size=3), st.data())
def test_several_sources_are_one_graph(
    tmp_path_factory: pytest.TempPathFactory, sources: list[list], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    is_plain = all(set(triple) <= set(PLAIN) for rows in sources for triple in rows)
    suffix = ".tsv" if is_plain else ".nt"
    paths = [
        save(folder / f"{n}{suffix}{data.draw(st.sampled_from(['', '.gz']))}", rows)
        for n, rows in enumerate(sources)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        store = graphs.compile(paths, folder / "compiled")
    if len(sources) > 1 and not is_plain:  # labels of blank nodes are a file's own
        sources = [[apart(t, number) for t in rows] for number, rows in enumerate(sources)]
    rows = [triple for source in sources for triple in source]
    brute = BruteGraph(rows, rdf=not is_plain)
    check(store, brute, limits=(1,))
    assert store.duplicates == len(rows) - len(brute.triples)
    seen: set[tuple[str, ...]] = set()
    for about, path, triples in zip(store.sources, paths, sources, strict=True):
        new = set(triples) - seen
        seen |= new
        assert about[:4] == (str(path), len(triples), len(triples) - len(new), 0)
        assert len(about.sha256) == 64
    if len(sources) > 1:
        origins = store.folder.array("sources", dtype="<u2", shape=(len(store),))
        firsts = [next(n for n, s in enumerate(sources) if t in s) for t in brute.triples]
        assert origins.tolist() == firsts
    shutil.rmtree(folder)


def apart(triple: tuple[str, str, str], number: int) -> tuple[str, ...]:
    head, relation, tail = triple
    ends = [f"_:{number}.{e[2:]}" if e.startswith("_:") else e for e in (head, tail)]
    return ends[0], relation, ends[1]


def test_equal_plans_give_equal_folders(source: Path, tmp_path: Path) -> None:
    one, two = (graphs.compile([source], tmp_path / n / "kg") for n in ("one", "two"))
    assert one.folder.seal == two.folder.seal and one.path != two.path
    code = "import sys, graphs; graphs.compile([sys.argv[1]], sys.argv[2])"
    target = tmp_path / "three" / "kg"
    for seed in ("1", "2"):  # strings are spread over files by a hash that this changes
        env = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(source), str(target)], env=env, check=True)
        assert TripleStore.open(target).folder.seal == one.folder.seal
        shutil.rmtree(target)


def test_a_published_folder_gives_what_reading_it_gives(tmp_path: Path) -> None:
    folder = tmp_path / "umls"
    folder.mkdir()
    save(folder / "train.tsv", [("Q1", "P1", "Q2"), ("Q2", "P1", "Q1")])
    for names in ({"relation2text.txt": "P1\tmade of\n"}, {"entity2text.txt": "Q1\tthe  one\n"}):
        for name, text in names.items():
            (folder / name).write_text(text)
        compiled = graphs.compile([folder], tmp_path / "c", overwrite=True)
        memory = TripleStore.open(folder)
        assert compiled.fingerprint == memory.fingerprint
        assert compiled.named and memory.named
        for store in (compiled, memory):
            assert store.relation_name("P1") == "made of"
    assert compiled.name_of("Q1") == "the one"


def test_aliases_and_languages_are_in_the_plan(source: Path, tmp_path: Path) -> None:
    aliases = tmp_path / "names.tsv"
    aliases.write_text("北京\tPeking\tBeijing\n火星\tMars\n", encoding="utf-8")
    store = graphs.compile([source], tmp_path / "c", aliases=[aliases], languages=["EN"])
    assert store.names_of("北京") == ("Peking", "Beijing")
    assert store.languages == ("en",)
    assert MentionIndex(store).find("to Beijing")[0].entity == "北京"
    assert TripleStore.open(tmp_path / "c", languages=["En"]).fingerprint == store.fingerprint
    with pytest.raises(GraphError, match=r"c: was built with the languages en; .*--language de"):
        TripleStore.open(tmp_path / "c", languages=["de"])


def test_a_graph_without_names_takes_any_languages(source: Path, tmp_path: Path) -> None:
    store = graphs.compile([source], tmp_path / "c")
    for path in (source, tmp_path / "c"):
        again = TripleStore.open(path, languages=["de"])
        assert again.fingerprint == store.fingerprint and not again.named


def test_names_of_nobody_are_announced(source: Path, tmp_path: Path) -> None:
    files = [tmp_path / "some.tsv", tmp_path / "all.tsv"]
    files[0].write_text("北京\tPeking\n火星\tMars\n<北京>\tBeijing\n", encoding="utf-8")
    files[1].write_text("北京\tBeijing\n", encoding="utf-8")
    said: list[str] = []
    store = graphs.compile([source], tmp_path / "c", aliases=files, announce=said.append)
    assert said == [f"{files[0]}: 2 of 3 lines name no entity of the graph, the first: '火星'"]
    assert store.names_of("北京") == ("Peking", "Beijing")


def test_only_blank_nodes_are_told_apart(tmp_path: Path) -> None:
    text = ("_: x", "r", "_:")  # no blank nodes: texts, which RDF has as urn:graphs:…
    paths = [
        save(tmp_path / "1.nt", [text, ("_:x", "r", "_:y")]),
        save(tmp_path / "2.nt", [text, ("_:x", "r", "_:y")]),
    ]
    store = graphs.compile(paths, tmp_path / "c")
    assert list(store) == [text, ("_:0.x", "r", "_:0.y"), ("_:1.x", "r", "_:1.y")]


def test_a_folder_has_no_suffix(tmp_path: Path) -> None:
    folder = tmp_path / "my.nt"
    folder.mkdir()
    save(folder / "train.tsv", [("_:a", "birthPlace", "b")])
    for store in (TripleStore.open(folder), graphs.compile([folder], tmp_path / "c")):
        assert not store.named and store.relation_name("birthPlace") == "birthPlace"


def test_progress_and_announcements(tmp_path: Path) -> None:
    path = tmp_path / "kg.tsv"
    path.write_text("bad\na\tr\tb\nworse\na\tr\tb\n")
    lines: list[str] = []
    stages: list[Progress] = []
    with pytest.raises(ParseError, match=r"kg\.tsv:1: "):
        graphs.compile([path], tmp_path / "c")
    assert left_over(tmp_path) == [] and not (tmp_path / "c").exists()
    store = graphs.compile(
        [path], tmp_path / "c", on_error="skip", announce=lines.append, progress=stages.append
    )
    assert (store.skipped, store.duplicates, store.sources[0].skipped) == (2, 1, 2)
    assert len(lines) == 1 and lines[0].startswith("2 bad lines skipped, the first: ")
    assert stages[0] == ("read", path.stat().st_size, path.stat().st_size)
    assert stages[-1].stage == "done"


def test_building_remarks_what_loading_does(tmp_path: Path) -> None:
    quads = tmp_path / "kg.nq"
    quads.write_text("<u:a> <u:r> <u:b> <u:graph> .\nworse\n<u:a> <u:r> <u:c> <u:graph> .\nbad\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "train.tsv").write_text("a\tr\tb\nworse\n")
    (folder / "dev.tsv").write_text("b\tr\ta\n")
    expected = {
        quads: [
            f"{quads}: 2 triples of named graphs, merged into one graph",
            f"2 bad lines skipped, the first: {quads}:2: ",
        ],
        folder: [
            f"{folder}: the graph is train.tsv; left out: dev.tsv",
            f"1 bad lines skipped, the first: {folder / 'train.tsv'}:2: ",
        ],
    }
    for number, (path, begins) in enumerate(expected.items()):
        loaded: list[str] = []
        built: list[str] = []
        graphs.load(path, on_error="skip", announce=loaded.append)
        target = tmp_path / f"c{number}"
        graphs.compile([path], target, on_error="skip", announce=built.append)
        assert loaded == built and len(built) == 2
        assert all(map(str.startswith, built, begins)), built


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.nt", b"<urn:a> <urn:b> .\n", r"a\.nt:1: "),
        ("a.tsv", b"a\tr\tb\na\tr\n", r"a\.tsv:2: "),
        ("a.tsv", b"a\tr\t\xff\n", r"a\.tsv:1: .*UTF-8"),
        ("a.tsv", b"a\tr\tb\0\n", r"a\.tsv:1: NUL"),
        ("a.tsv", b"", "no triple; the empty graph is called none"),
        ("a.nt", b"# nothing\n\n", "no triple; the empty graph is called none"),
        ("a.tsv.gz", gzip.compress(b"a\tr\tb\n", mtime=0)[:-5], r"a\.tsv\.gz"),
        ("a.xyz", b"a\tr\tb\n", "unknown format"),
    ],
)
def test_malformed_sources_leave_nothing(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    good = save(tmp_path / "good.tsv", [("x", "y", "z")])
    bad = tmp_path / name
    bad.write_bytes(content)
    sources = [bad] if "no triple" in says else [good, bad]
    with pytest.raises(GraphError, match=says) as caught:
        graphs.compile(sources, tmp_path / "c")
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["good.tsv", name])


def test_arguments_that_are_refused_before_any_work(source: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.nt")
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / MANIFEST).write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    cases: list[tuple[Any, Any, str]] = [
        ([], "c", "no sources"),
        (str(source), "c", "give a list"),
        ([tmp_path / "absent.nt"], "c", "there is no such file"),
        ([tmp_path / "pipe.nt"], "c", "is no file"),
        ([source], "taken", "is there already and was not made by build"),
        ([source], "file", "is there already and was not made by build"),
        ([source], "link", "is there already and was not made by build"),
        ([source], "app", "is there already and was not made by build"),
        ([source], "a/..", "is no name for a new folder"),
        ([source], "a\0b", "is no name for a new folder"),
        ([source], "file/c", "Not a directory|File exists"),
        ([source], "n" * 250, "File name too long"),
        ([source] * 65_536, "c", "65536 sources, 65535 at most"),
    ]
    for sources, target, says in cases:
        with pytest.raises(GraphError, match=says) as caught:
            graphs.compile(sources, f"{tmp_path}/{target}", overwrite=True)
        assert "\n" not in str(caught.value)
    for target in ("", ".", "/"):
        with pytest.raises(GraphError, match="is no name for a new folder"):
            graphs.compile([source], target)
    assert sorted(tmp_path.rglob("*")) == before


def test_overwriting_keeps_old_readers_at_work(source: Path, tmp_path: Path) -> None:
    old = graphs.compile([source], tmp_path / "c")
    expected = list(old), old.fingerprint
    with pytest.raises(GraphError, match="is there already; replace it with --overwrite"):
        graphs.compile([source], tmp_path / "c")
    pickled = pickle.dumps(old)
    other = save(tmp_path / "new.tsv", [("海南", "是", "岛")])
    new = graphs.compile([other], tmp_path / "c", overwrite=True)
    assert list(new) == [("海南", "是", "岛")] == list(TripleStore.open(tmp_path / "c"))
    assert (list(old), old.fingerprint) == expected
    assert old.facts("北京") == [("首都", "中国")]
    assert MentionIndex(old).find("北京海南")[0].entity == "北京"  # indexed only now
    assert len(list((tmp_path / "c").iterdir())) == 2 and left_over(tmp_path) == []
    with pytest.raises(GraphError, match="was built anew since it was opened"):
        pickle.loads(pickled)


def test_a_damaged_graph_is_built_again(source: Path, tmp_path: Path) -> None:
    store = graphs.compile([source], tmp_path / "c")
    for name in ("rows", "mentions.marisa", "heads"):
        file = store.folder.data / name
        file.write_bytes(bytes(file.stat().st_size + 1))
    (store.folder.data / "facts.offsets").unlink()
    with pytest.raises(GraphError, match="build the graph again"):
        TripleStore.open(tmp_path / "c")
    again = graphs.compile([source], tmp_path / "c", overwrite=True)
    assert again.folder.seal == store.folder.seal and again.facts("北京") == [("首都", "中国")]
    manifest = tmp_path / "c" / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-2])
    assert len(graphs.compile([source], tmp_path / "c", overwrite=True)) == 2
    assert len(list((tmp_path / "c").iterdir())) == 2


def test_a_name_with_wildcards_harms_no_neighbour(source: Path, tmp_path: Path) -> None:
    for kept in (".a.partial-0123456z", ".ab.partial-01234567", ".a.partial-x.partial-01234567"):
        (tmp_path / kept).mkdir()
    (tmp_path / ".a.partial-01234567").mkdir()
    graphs.compile([source], tmp_path / "a")
    assert len(left_over(tmp_path)) == 3
    (tmp_path / ".[a]*.partial-01234567").mkdir()
    graphs.compile([source], tmp_path / "[a]*")
    assert len(left_over(tmp_path)) == 3 and len(TripleStore.open(tmp_path / "[a]*")) == 2


def test_paths_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"kg\xff.tsv")
    path = save(tmp_path / name, [("a", "r", "b")])
    store = graphs.compile([path], tmp_path / os.fsdecode(b"c\xff"))
    assert store.sources[0].path == str(path)
    assert len(TripleStore.open(tmp_path / os.fsdecode(b"c\xff"))) == 1


def test_through_a_link(source: Path, tmp_path: Path) -> None:
    graphs.compile([source], tmp_path / "c")
    (tmp_path / "link").symlink_to(tmp_path / "c")
    other = save(tmp_path / "new.tsv", [("海南", "是", "岛")])
    graphs.compile([other], tmp_path / "link", overwrite=True)
    assert len(TripleStore.open(tmp_path / "c")) == 1 and (tmp_path / "link").is_symlink()


def test_only_short_names(tmp_path: Path) -> None:
    store = graphs.compile([save(tmp_path / "a.tsv", [("a", "r", "b")])], tmp_path / "c")
    assert MentionIndex(store).find("a b") == []
    assert [m.entity for m in MentionIndex(store, min_length=1).find("a b")] == ["a"]
