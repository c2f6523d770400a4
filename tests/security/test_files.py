"""Damaged and malicious files of every kind are refused by every command that opens them."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import zstandard
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

import graphs.__main__
import kbert.train
import kgbert.score
from graphs.compiled.folder import seal_of
from tests.security.folders import COMMANDS, Ending, Place, canaries, command, make_place, run

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def place(sound: Place, tmp_path: Path) -> Place:
    """A copy whose models have no checksums: an attacker would write them anew."""
    shutil.copytree(sound.folder, tmp_path / "copy")
    for file in (tmp_path / "copy").rglob("checksums.json"):
        file.unlink()
    return Place(tmp_path / "copy")


def assert_refused(ending: Ending, *, file: str) -> None:
    assert ending.status == 2, ending
    *notes, last = ending.said
    assert last.startswith("error: ") and file in last and len(last) < 3000, ending.said
    assert not any("error" in note or "Traceback" in note for note in notes), ending.said


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_what_is_sound_is_read(name: str, place: Place) -> None:
    """Or the refusals below would prove nothing."""
    assert command(name, place).status == 0


def header(entries: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def f32(shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], bytes]:
    """Change the tensors of a file, which stays well formed."""

    def make(file: Path) -> bytes:
        tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
        change(tensors)
        return to_bytes(tensors)

    return make


def first(tensors: dict[str, Any]) -> str:
    return min(name for name in tensors if "word_embeddings" in name)


WEIGHTS: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "garbage": lambda _: bytes(range(256)) * 9,
    "a header of 2^63 bytes": lambda _: struct.pack("<Q", 1 << 63) + b"{}",
    "a header of 90 MB": lambda _: struct.pack("<Q", 90 << 20) + b" " * (90 << 20),
    "a header that is deep": lambda _: struct.pack("<Q", 200_000) + b"[" * 200_000,
    "a header that is no object": lambda _: struct.pack("<Q", 2) + b"[]",
    "a header with a key twice": lambda _: struct.pack("<Q", 15) + b'{"a":1,"a":[1]}',
    "an empty header": lambda _: header({}),
    "overlapping tensors": lambda _: header({"a": f32([2], 0, 8), "b": f32([2], 4, 12)}, bytes(12)),
    "a hole between tensors": lambda _: header(
        {"a": f32([1], 0, 4), "b": f32([1], 8, 12)}, bytes(12)
    ),
    "offsets past the end": lambda _: header({"a": f32([1 << 40], 0, 4 << 40)}, bytes(8)),
    "offsets that go back": lambda _: header({"a": f32([1], 8, 4)}, bytes(8)),
    "a shape that overflows": lambda _: header({"a": f32([1 << 40] * 4, 0, 8)}, bytes(8)),
    "an unknown type": lambda _: header(
        {"a": {"dtype": "OBJECT", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)
    ),
    "cut short": lambda file: file.read_bytes()[:-100],
    "something behind": lambda file: file.read_bytes() + b"x",
    "a missing tensor": changed(lambda tensors: tensors.pop(first(tensors))),
    "a tensor too many": changed(lambda tensors: tensors.update({"bert.evil": torch.ones(2)})),
    "another name": changed(lambda t: t.update({"evil": t.pop(first(t))})),
    "another shape": changed(lambda t: t.update({first(t): torch.zeros(3, 3, 3)})),
    "whole numbers": changed(lambda t: t.update({first(t): t[first(t)].to(torch.int64)})),
    "a name of a megabyte": changed(lambda t: t.update({"e" * MEBIBYTE: torch.ones(2)})),
    "a name with ends of lines": changed(lambda t: t.update({"a\nb\x1b[2J": torch.ones(2)})),
}


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_weights(name: str, place: Place, tmp_path: Path) -> None:
    with canaries(tmp_path):
        for model in place.models:
            file = model / "model.safetensors"
            file.write_bytes(WEIGHTS[name](file))
        for each in ("predict", "fill", "train", "score"):
            named = str(place.folder) if name == "an empty header" else "model.safetensors"
            assert_refused(command(each, place), file=named)


def test_an_index_that_points_elsewhere_is_not_followed(place: Place) -> None:
    """Shards of weights are not read; least of all those of another folder."""
    for model in place.models:
        (model / "model.safetensors").rename(place.folder / f"{model.name}.safetensors")
        index = {"weight_map": {"a": f"../{model.name}.safetensors", "b": "/etc/passwd"}}
        (model / "model.safetensors.index.json").write_text(json.dumps(index))
    for each in ("predict", "fill", "train", "score"):
        assert_refused(command(each, place), file="model.safetensors: no such file")


CONFIGS: dict[str, Any] = {
    "a width of 10^9": {"hidden_size": 10**9},
    "10^9 layers": {"num_hidden_layers": 10**9},
    "10^9 heads": {"num_attention_heads": 10**9},
    "a feed-forward width of 10^12": {"intermediate_size": 10**12},
    "10^15 positions": {"max_position_embeddings": 10**15},
    "10^18 words": {"vocab_size": 10**18},
    "10^9 segments": {"type_vocab_size": 10**9},
    "large but possible sizes": {
        "hidden_size": 1 << 15, "intermediate_size": 1 << 18, "vocab_size": 1 << 26,
        "num_hidden_layers": 64,
    },
    "no layers": {"num_hidden_layers": 0},
    "negative sizes": {"hidden_size": -8},
    "sizes that are texts": {"hidden_size": "8; touch song"},
    "a rate that is no number": b'{"model_type": "bert", "hidden_dropout_prob": NaN}',
    "an infinite rate": b'{"model_type": "bert", "layer_norm_eps": Infinity}',
    "a number of 10,000 digits": b'{"model_type": "bert", "vocab_size": ' + b"9" * 10_000 + b"}",
    "deep lists": b"[" * MEBIBYTE,
    "deep objects": b'{"a":' * MEBIBYTE,
    "a list": b"[]",
    "no text": b"\xff\xfe\x00",
    "17 MiB": b" " * (17 * MEBIBYTE) + b"{}",
    "code of its own": {"auto_map": {"AutoModel": "canary_module.sing"}, "model_type": "evil"},
    "another architecture": {"model_type": "gpt2"},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_configurations(name: str, place: Place, tmp_path: Path) -> None:
    with canaries(tmp_path):
        for model in place.models:
            file = model / "config.json"
            change = CONFIGS[name]
            if isinstance(change, bytes):
                file.write_bytes(change)
            else:
                file.write_text(json.dumps(json.loads(file.read_bytes()) | change))
        for each in ("predict", "fill", "train", "score"):
            ending = command(each, place)
            wanted = "model.safetensors" if name.startswith("large") else "config.json"
            assert_refused(ending, file=wanted)


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        content = json.loads(data)
        change(content)
        return json.dumps(content).encode()

    return make


PATTERN = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}
MANY = {f"w{number}": number for number in range(300_000)}
TOKENIZERS: dict[str, Callable[[bytes], bytes]] = {
    "a regular expression without end": edited(lambda c: c.update(normalizer=PATTERN)),
    "one that is hidden": edited(
        lambda c: c.update(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {
                        "type": "Split",
                        "pattern": {"Regex": "(a+)+$"},
                        "behavior": "Isolated",
                        "invert": False,
                    }
                ],
            }
        )
    ),
    "another model": edited(lambda c: c["model"].update(type="BPE", merges=[])),
    "more pieces than embeddings": edited(
        lambda c: c["model"].update(vocab=MANY | c["model"]["vocab"])
    ),
    "added pieces": edited(
        lambda c: c["added_tokens"].append({**c["added_tokens"][0], "id": 9999, "content": "evil"})
    ),
    "no model": edited(lambda c: c.pop("model")),
    "no vocabulary": edited(lambda c: c["model"].pop("vocab")),
    "a vocabulary of texts": edited(lambda c: c["model"].update(vocab={"a": "b"})),
    "negative numbers": edited(lambda c: c["model"]["vocab"].update(a=-1)),
    "numbers past 32 bits": edited(lambda c: c["model"]["vocab"].update(a=1 << 40)),
    "no special pieces": edited(lambda c: c["model"]["vocab"].pop("[SEP]")),
    "deep": lambda _: b'{"model":' * MEBIBYTE,
    "empty": lambda _: b"",
    "no text": lambda _: b"\xff\xfe",
}


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
def test_tokenisers(name: str, place: Place) -> None:
    for model in place.models:
        file = model / "tokenizer.json"
        file.write_bytes(TOKENIZERS[name](file.read_bytes()))
    for each in ("predict", "fill", "train", "score"):
        ending = command(each, place)
        assert_refused(ending, file="" if name.startswith("more") else "tokenizer.json")


VOCABULARIES: dict[str, bytes] = {
    "a piece twice": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n",
    "no special pieces": b"a\nb\n",
    "more pieces than embeddings": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    + b"".join(b"w%d\n" % number for number in range(300_000)),
    "no text": b"\xff\xfe",
    "65 MiB": b"x" * (65 * MEBIBYTE),
    "nothing": b"",
}


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_vocabularies(name: str, place: Place) -> None:
    for model in place.models:
        (model / "tokenizer.json").unlink()
        (model / "vocab.txt").write_bytes(VOCABULARIES[name])
    for each in ("predict", "fill", "train", "score"):
        assert_refused(command(each, place), file="" if name.startswith("more") else "vocab.txt")


def setting(**entries: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content["settings"].update(entries)


RUNS: dict[str, Any] = {
    "another format": lambda c: c.update(format=99),
    "no settings": lambda c: c.pop("settings"),
    "an unknown setting": setting(command="touch song"),
    "a setting of another kind": setting(max_length="__import__('canary_module')"),
    "a length past all positions": setting(max_length=99_999),
    "an absurd length": setting(max_length=10**15),
    "labels that are no texts": lambda c: c.update(labels=[["a"], {}]),
    "labels without end": lambda c: c.update(labels=[str(n) for n in range(100_000)]),
    "no labels": lambda c: c.update(labels=[]),
    "a task that does not exist": lambda c: c.update(task="os.system"),
    "deep": b'{"format":' * MEBIBYTE,
    "a number that is none": b'{"format": NaN}',
    "a list": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("name", sorted(RUNS))
@pytest.mark.parametrize("each", ["predict", "score"])
def test_records_of_runs(name: str, each: str, place: Place, tmp_path: Path) -> None:
    folder = place.run if each == "predict" else place.triples
    file = folder / "run.json"
    with canaries(tmp_path):
        if isinstance(RUNS[name], bytes):
            file.write_bytes(RUNS[name])
        else:
            content = json.loads(file.read_bytes())
            RUNS[name](content)
            file.write_text(json.dumps(content))
        assert_refused(command(each, place), file=folder.name)


@pytest.mark.parametrize("graph", ["/etc/passwd", "/dev/zero", "/dev/stdin", "../../..", "a\nb"])
def test_a_run_that_names_another_file_as_its_graph(graph: str, place: Place) -> None:
    file = place.run / "run.json"
    content = json.loads(file.read_bytes())
    content["graph"]["path"] = content["settings"]["kg"] = graph
    file.write_text(json.dumps(content))
    ending = command("predict", place)
    assert_refused(ending, file=str(place.run))
    assert "root:" not in "".join(ending.said), "the file was shown"


BESIDE: dict[str, dict[str, bytes]] = {
    "thresholds that are code": {"thresholds.json": b"__import__('canary_module')"},
    "thresholds that are deep": {"thresholds.json": b"[" * MEBIBYTE},
    "thresholds that are no numbers": {"thresholds.json": b'{"overall": NaN}'},
    "a calibrator that is deep": {"calibrator.json": b"[" * MEBIBYTE},
    "a calibrator of no numbers": {
        "calibrator.json": b'{"method": "platt", "knots": [["nan", "inf"]]}'
    },
    "a calibrator without method": {"calibrator.json": b'{"method": "pickle", "knots": [[1, 2]]}'},
    "entities without texts": {"entities.tsv": b"a\nb\n"},
    "entities that are no text": {"entities.tsv": b"\xff\t\xfe\n"},
    "fewer entities": {"entities.tsv": b"a\ta\n"},
    "relations twice": {"relations.tsv": b"a\ta\na\tb\n"},
}


@pytest.mark.parametrize("name", sorted(BESIDE))
def test_what_stands_beside_the_weights(name: str, place: Place, tmp_path: Path) -> None:
    with canaries(tmp_path):
        for file, data in BESIDE[name].items():
            (place.triples / file).write_bytes(data)
            assert_refused(command("score", place), file=file)


LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
RECIPES: dict[str, str] = {
    "a function": "kg: !!python/object/apply:os.system ['touch song']\n",
    "a new object": "kg: !!python/object/new:canary_module.sing []\n",
    "a module": "kg: !!python/module:canary_module\n",
    "a name": "kg: !!python/name:canary_module.sing\n",
    "a harmless tag": "seed: !!int 1\n",
    "a tag of its own": "kg: !evil x\n",
    "a billion laughs": f"a0: &a0 [x, x, x]\n{LAUGHS}kg: *a11\n",
    "an anchor": "kg: &x y\n",
    "a merge": "<<: {kg: none}\n",
    "deep lists": "kg: " + "[" * 50_000 + "\n",
    "deep objects": "kg: " + "{a: " * 50_000 + "\n",
    "a number without end": "seed: " + "9" * 100_000 + "\n",
    "a number of base 60": "seed: " + "1:" * 50_000 + "1\n",
    "several documents": "seed: 1\n---\nseed: 2\n",
    "a megabyte": "# " + "x" * MEBIBYTE + "\n",
    "an unknown key": "class_path: canary_module.sing\n",
    "a control character": "kg: \0\n",
}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes(name: str, place: Place, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPES[name])
    with canaries(tmp_path):
        assert_refused(run(kbert.train.main, ["--config", str(file)]), file="recipe.yaml")


def manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[Place], None]:
    """Change a manifest, and give its data the name that goes with it."""

    def make(place: Place) -> None:
        file = place.graph / "manifest.json"
        content = json.loads(file.read_bytes())
        change(content)
        file.write_text(json.dumps(content))
        (data,) = place.graph.glob("data-*")
        data.rename(place.graph / f"data-{seal_of(file.read_bytes())}")

    return make


def entry(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content["files"]["rows"].update(changes)


GRAPHS: dict[str, Callable[[Place], Any]] = {
    "a file elsewhere": manifest(
        lambda c: c["files"].update({"../../../etc/passwd": c["files"]["rows"]})
    ),
    "an absolute path": manifest(lambda c: c["files"].update({"/etc/passwd": c["files"]["rows"]})),
    "more rows than there are": manifest(entry(shape=[3, 1 << 40], bytes=12 << 40)),
    "a negative size": manifest(entry(shape=[3, -1], bytes=-12)),
    "objects as numbers": manifest(entry(dtype="|O")),
    "another type": manifest(entry(dtype="<i8")),
    "no rows": manifest(lambda c: c["files"].pop("rows")),
    "another count": manifest(lambda c: c.update(triples=1 << 60)),
    "texts as counts": manifest(lambda c: c.update(entities="3")),
    "another version": manifest(lambda c: c.update(version=99)),
    "a wrong checksum": manifest(entry(xxh3="0" * 32)),
    "a deep manifest": lambda p: (p.graph / "manifest.json").write_bytes(b"[" * MEBIBYTE),
    "no manifest": lambda p: (p.graph / "manifest.json").write_bytes(b""),
    "a changed manifest": lambda p: (p.graph / "manifest.json").write_bytes(
        (p.graph / "manifest.json").read_bytes() + b" "
    ),
    "data that is gone": lambda p: [shutil.rmtree(data) for data in p.graph.glob("data-*")],
    "rows that are cut short": lambda p: [
        file.write_bytes(file.read_bytes()[:-1]) for file in p.graph.glob("data-*/rows")
    ],
}


@pytest.mark.parametrize("name", sorted(GRAPHS))
@pytest.mark.parametrize("each", ["info", "predict"])
def test_compiled_graphs(name: str, each: str, place: Place) -> None:
    GRAPHS[name](place)
    main, arguments = COMMANDS[each]
    further = ["--kg", str(place.graph)] if each == "predict" else []
    assert_refused(run(main, [*arguments(place), *further]), file=str(place.graph))


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(level=3).compress,
}
TEXTS = {
    "one line": b"a" * (20 * MEBIBYTE),
    "zeros": bytes(20 * MEBIBYTE),
    "the same line": (b"a\tb\t" + b"c" * 500 + b"\n") * (20 * MEBIBYTE // 505),
}


@pytest.mark.parametrize("text", sorted(TEXTS))
@pytest.mark.parametrize("suffix", sorted(PACK))
def test_bombs(text: str, suffix: str, place: Place) -> None:
    """20 MiB in a few KiB, as a graph, as triples to score, and as data to train on."""
    data = PACK[suffix](TEXTS[text])
    assert len(data) < 20 * MEBIBYTE / 200
    triples, table = place.folder / f"bomb.spo{suffix}", place.folder / f"bomb.tsv{suffix}"
    triples.write_bytes(data)
    table.write_bytes(data)
    assert_refused(run(graphs.__main__.main, ["info", str(triples)]), file="bomb.spo")
    assert_refused(run(kgbert.score.main, [str(place.triples), str(table)]), file="bomb.tsv")
    arguments = ["--data", str(table), "--kg", "none", "--output", str(place.folder / "out")]
    assert_refused(run(kbert.train.main, arguments), file="bomb.tsv")
