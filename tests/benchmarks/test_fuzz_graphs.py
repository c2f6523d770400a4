"""The fuzz run finds nothing, and finds what is planted: it must be able to fail."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random

import pytest

from benchmarks.hostile import DOCUMENTS
from benchmarks.hostile_cases import Compiled, compiled_graphs, make_case
from benchmarks.hostile_changes import ON_TOKENS, damage, mutated_json, pack, zstd_frame
from benchmarks.hostile_composed import COMPOSED, composed
from benchmarks.hostile_rules import Broken, attempt, check_line, renamed
from graphs import GraphError, TripleStore, read_triples

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Compiled, ...]:
    return compiled_graphs(tmp_path_factory.mktemp("compiled"))


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, which may fork; temporary files go to `folder`."""
    environment = os.environ | {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_three_hundred_cases_break_nothing(tmp_path: Path) -> None:
    results = tmp_path / "results"
    flags = ["--cases", "300", "--seed", "1", "--results", str(results)]
    done = python("-m", "benchmarks.fuzz_graphs", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 cases" in done.stdout and "finding: " not in done.stdout
    assert not results.exists()  # it was shortened


PLANTED = """
    import os, socket, sys, time
    from pathlib import Path
    import benchmarks.hostile_children as children
    from benchmarks.fuzz_graphs import main
    from graphs import GraphError

    def examine(case, *, rng):
        match case.number:
            case 0: os.kill(os.getpid(), 11)
            case 1:
                while True: pass
            case 2: socket.create_connection(("127.0.0.1", 9))
            case 3: Path(sys.argv[1], "outside").write_text("x")
            case 4: raise KeyError("a defect")
            case 5: bytearray(1 << 40)
            case 6: sys.stderr.write("talk")
            case 7: Path("secret").exists() or Path("/secret").open()
            case 8: import warnings; warnings.warn("noise")
            case 9: Path("inside").write_text("x")
        return "read"

    children.examine = examine
    sys.exit(main(["--cases", "11", "--limit", "0.5", "--findings", sys.argv[1]]))
"""


@pytest.mark.localhost  # one of what is planted asks for a connection, which the children refuse
def test_what_is_planted_is_found(tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    done = python("-c", textwrap.dedent(PLANTED), str(found), folder=tmp_path)
    assert done.returncode == 1, done.stderr
    kept = {path.parent.name: path for path in found.glob("*/finding.json")}
    assert sorted(kept) == [f"0-{number}" for number in range(9)]
    said = [json.loads(kept[f"0-{number}"].read_text())["signature"] for number in range(9)]
    words = ["died: -11", "TooSlow", "Perm", "outside", "KeyError", "Memory", "talk", "NotFound"]
    assert [word for word, text in zip(words, said, strict=False) if word not in text] == []
    about = json.loads(kept["0-4"].read_text())
    assert "a defect" in about["detail"] and about["target"]
    assert (kept["0-4"].parent / about["target"]).exists()


def test_cases_are_a_function_of_seed_and_number(compiled: tuple[Compiled, ...]) -> None:
    cases = [make_case(number, seed=4, compiled=compiled) for number in range(200)]
    assert cases == [make_case(number, seed=4, compiled=compiled) for number in range(200)]
    assert cases != [make_case(number, seed=5, compiled=compiled) for number in range(200)]
    assert {*DOCUMENTS, "KG-BERT", "Wikidata5M", "compiled"} == {case.form for case in cases}
    assert {"", "gz", "zst"} == {case.target.split(".")[-1] for case in cases} & {"gz", "zst"} | {
        ""
    }
    assert any(not case.how for case in cases) and any(len(case.how) > 2 for case in cases)


def test_compiled_graphs_hold_nothing_of_their_folder(
    compiled: tuple[Compiled, ...], tmp_path: Path
) -> None:
    assert compiled == compiled_graphs(tmp_path)
    for graph in compiled:
        for name, data in graph.files.items():
            (tmp_path / "again" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "again" / name).write_bytes(data)
            assert str(tmp_path).encode() not in data
        assert TripleStore.open(tmp_path / "again").fingerprint == graph.fingerprint


@pytest.mark.parametrize("form", sorted(COMPOSED))
def test_composed_documents_are_sound(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"composed.{form}"
    for number in range(30):
        path.write_bytes(composed(form, rng=Random(number)))
        assert list(read_triples(path))


@pytest.mark.parametrize("form", sorted(DOCUMENTS))
@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_packed_documents_are_what_was_packed(form: str, packing: str, tmp_path: Path) -> None:
    bare, packed = tmp_path / f"sound.{form}", tmp_path / f"sound.{form}.{packing}"
    bare.write_bytes(DOCUMENTS[form])
    for number in range(4):
        packed.write_bytes(pack(DOCUMENTS[form], packing=packing, rng=Random(number)))
        assert list(read_triples(packed)) == list(read_triples(bare))
    assert len(zstd_frame(b"x" * (1 << 20))) < 60


def test_every_change_changes_every_format() -> None:
    for form, document in DOCUMENTS.items():
        for name, change in ON_TOKENS.items():
            assert any(change(document, form, Random(n)) != document for n in range(9)), name
        assert damage(document, form=form, rng=Random(0), times=0) == (document, [])


def test_mutated_json_differs_and_leaves_the_original() -> None:
    value = {"a": [1, {"b": 2}], "c": "d"}
    texts = [json.dumps(mutated_json(value, rng=Random(number))[0]) for number in range(60)]
    assert value == {"a": [1, {"b": 2}], "c": "d"}
    assert len(set(texts)) > 20


@pytest.mark.parametrize("message", ["", "a\nb", "a\x1b[2Jb", "a\u2028b", "x" * 1001])
def test_a_message_is_one_line_that_a_terminal_can_show(message: str) -> None:
    with pytest.raises(Broken):
        check_line(message)
    check_line("f.nt:1: what is wrong; what to do")


def test_a_refusal_names_the_file_and_other_exceptions_pass() -> None:
    def refuse() -> None:
        raise GraphError("g.nt: no")

    assert attempt(refuse, names="g.nt") == (None, "g.nt: no")
    assert attempt(lambda: 5, names="g.nt") == (5, "")
    with pytest.raises(Broken):
        attempt(refuse, names="h.nt")
    with pytest.raises(KeyError):
        attempt(lambda: {}["x"], names="g.nt")


def test_blank_nodes_are_compared_by_place() -> None:
    assert renamed([("_:x", "_:x", "_:y")]) == renamed([("_:b0", "_:x", "_:b1")])
    assert renamed([("_:x", "p", "_:y")]) != renamed([("_:x", "p", "_:x")])
