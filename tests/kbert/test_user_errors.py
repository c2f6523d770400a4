"""A catalogue of users' mistakes: each is one line, status 2, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from kbert import console
from kbert.train import main

Runs = Callable[[str], Path]
Capture = pytest.CaptureFixture[str]
GOOD = "label\ttext_a\n好\t我爱北京\n坏\t我不去上海\n"
SMALL = ["--layers", "1", "--width", "8", "--heads", "2", "--feed-forward", "8"]


class Place:
    """A folder with good data, in which a mistake is made before training is asked for."""

    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.folder = folder
        self.capsys = capsys
        (folder / "data").mkdir()
        for name in ("train", "dev", "test"):
            (folder / "data" / f"{name}.tsv").write_text(GOOD, encoding="utf-8")

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def train(self, *arguments: str) -> tuple[int, str, str]:
        """Train in the folder; return the status and what was said on both streams."""
        try:  # of a flag that stands twice the last one counts
            status = main(["--data", "data", "--output", "run", *arguments])
        except SystemExit as end:  # of the argument parser
            status = int(end.code or 0)
        out, err = self.capsys.readouterr()
        return status, out, err

    def refusal(self, *arguments: str) -> str:
        """Train in vain: return the one line that says why."""
        before = contents(self.folder)
        status, out, err = self.train(*arguments)
        lines = err.splitlines()
        assert (status, out) == (2, ""), err
        assert [line for line in lines if line.startswith("error: ")] == [lines[-1]], err
        assert "Traceback" not in err and "Warning" not in err
        assert contents(self.folder) == before
        return lines[-1].removeprefix("error: ")


def contents(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Place:
    """Make a place and go there; its home has no graphs, and there is no network."""
    made = Place(tmp_path, capsys)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KBERT_HOME", str(tmp_path / "home"))
    return made


def test_without_a_mistake_it_trains(place: Place) -> None:
    status, out, err = place.train(*SMALL, "--epochs", "1")
    assert status == 0 and "accuracy" in out and "\nwrote run\n" in err


FILES: list[tuple[str, dict[str, str | bytes], list[str], str]] = [
    ("no data", {}, ["--data", "./absent"], "./absent: no such file or folder"),
    ("no data file", {}, ["--data", "texts.tsv"], "texts.tsv: no such file or folder"),
    (
        "no train",
        {"d/dev.tsv": GOOD},
        ["--data", "d"],
        "d: no training data: expected train.tsv (or .tsv, .tsv.gz, .csv, .csv.gz, .json,"
        " .json.gz, .jsonl, .jsonl.gz, .parquet), found dev",
    ),
    (
        "two train",
        {"data/train.csv": "label,text_a\n1,x\n"},
        [],
        "data: data/train.csv and data/train.tsv could all be train; keep one",
    ),
    (
        "another column",
        {},
        ["--text-column", "foo"],
        "data/train.tsv: no column 'foo' for the text; its columns are 'label', 'text_a'; name one"
        " with --text-column",
    ),
    ("no pair", {}, ["--task", "pair"], "data/train.tsv: no column 'text_b' for the pair; "),
    (
        "fields",
        {"data/dev.tsv": GOOD + "好\n"},
        [],
        "data/dev.tsv:4: 1 fields, but the header has 2: ('label', 'text_a')",
    ),
    (
        "encoding",
        {"data/train.tsv": b"label\ttext_a\n1\tcaf\xe9\n"},
        [],
        "data/train.tsv:2: not UTF-8",
    ),
    ("empty file", {"data/test.tsv": ""}, [], "data/test.tsv: the file is empty; the first line"),
    ("header only", {"data/dev.tsv": "label\ttext_a\n"}, [], "data/dev.tsv: holds no rows for dev"),
    (
        "empty text",
        {"data/train.tsv": GOOD + "好\t  \n"},
        [],
        "data/train.tsv:4: the text is empty",
    ),
    (
        "text without tokens",
        {"data/train.tsv": GOOD + "好\t\u200b\n"},
        [],
        "data/train.tsv:4: the text '\\u200b' is empty: it has no token",
    ),
    ("no label", {"data/test.tsv": GOOD + "\t我\n"}, [], "data/test.tsv:4: no label; training and"),
    (
        "unseen label",
        {"data/test.tsv": GOOD + "中\t我\n"},
        [],
        "data/test.tsv:4: label '中' does not occur in training, whose labels are ('坏', '好')",
    ),
    (
        "surrogate",
        {"d/train.jsonl": json.dumps({"label": "a", "text_a": "x\ud800"}) + "\n"},
        ["--data", "d"],
        "d/train.jsonl:1: the text holds half of a surrogate pair, \\ud800",
    ),
    ("json", {"d/train.jsonl": '{"label": "a"\n'}, ["--data", "d"], "d/train.jsonl:1: bad JSON: "),
    (
        "words and tags",
        {"d/train.tsv": "text_a\tlabel\n我 在\tO O\n我 在 京\tO B-L\n"},
        ["--data", "d", "--task", "tagging"],
        "d/train.tsv:3: 3 words, but 2 tags",
    ),
    (
        "no tag",
        {"d/train.tsv": "text_a\tlabel\n我 在\tO LOC\n"},
        ["--data", "d", "--task", "tagging"],
        "d/train.tsv:2: 'LOC' is not a tag: O, or B-, I-, E- or S- and an entity type",
    ),
    (
        "sample",
        {},
        ["--data", "sample", "--task", "pair"],
        "the packaged sample is a classification task; name your --data",
    ),
    (
        "hub configuration",
        {},
        ["--data-config", "sst2"],
        "'sst2' names a configuration on the hub, but data is local",
    ),
    (
        "unknown graph",
        {},
        ["--kg", "hownett"],
        "no graph 'hownett': neither a known name (cn_dbpedia, cn_dbpedia_sample, hownet, medical,"
        " none) nor an existing file; did you mean 'hownet'?",
    ),
    ("absent graph", {}, ["--kg", "medical"], "medical (MedicalKG, the classes of Chinese medical"),
    (
        "bad line of a graph",
        {"g.spo": "北京\t首都\t中国\n北京\t城市\n"},
        ["--kg", "g.spo"],
        "g.spo:2: ",
    ),
    ("graph format", {"g.docx": "x"}, ["--kg", "g.docx"], "g.docx: "),
    (
        "relation",
        {"g.spo": "北京\t首都\t中国\n"},
        ["--kg", "g.spo", "--allow-relations", "首府"],
        "allow (--allow-relations): graph 'g.spo' has no relation '首府'",
    ),
    (
        "denied relation",
        {"g.spo": "北京\t首都\t中国\n"},
        ["--kg", "g.spo", "--deny-relations", "首都", "在"],
        "deny (--deny-relations): graph 'g.spo' has no relation '在'",
    ),
    ("no vocabulary", {}, ["--vocab", "v.txt"], "v.txt: cannot be read: No such file or directory"),
    (
        "special tokens",
        {"v.txt": "[PAD]\n[UNK]\n我\n"},
        ["--vocab", "v.txt"],
        "v.txt: the vocabulary lacks the special tokens [CLS] [SEP] [MASK]",
    ),
    (
        "vocabulary twice",
        {"v.txt": "[PAD]\n[UNK]\n[UNK]\n"},
        ["--vocab", "v.txt"],
        "v.txt:3: '[UNK]' stands twice",
    ),
    ("output exists", {"run/x": ""}, [], "run: exists already; choose another --output, or say"),
    (
        "no run",
        {"run/x": ""},
        ["--overwrite"],
        "run: is not a run, so --overwrite does not replace",
    ),
    (
        "under a file",
        {"f": ""},
        ["--output", "f/run"],
        "f/run: cannot be made: {folder}/f is not a folder that can be written to",
    ),
    ("unwritable", {}, ["--output", "/proc/none/run"], "/proc/none/run: cannot be made: "),
    ("long name", {}, ["--output", "x" * 300], "x" * 300 + ": cannot be made: File name too long"),
    (
        "heads",
        {},
        ["--width", "30", "--heads", "4"],
        "--width must be a multiple of --heads, was 30",
    ),
    (
        "frozen layers",
        {},
        ["--layers", "2", "--freeze-layers", "3"],
        "--freeze-layers 3: the encoder has only 2 layers",
    ),
    (
        "layer decay",
        {},
        ["--layer-decay", "1.5"],
        "--layer-decay must be between 0.0 and 1.0, was 1.5",
    ),
    ("devices", {}, ["--devices", "0"], "--devices must be between 1 and 100000, was 0"),
    ("no recipe", {}, ["--config", "r.yaml"], "r.yaml: cannot be read: No such file or directory"),
    ("yaml", {"r.yaml": "a: [1\n"}, ["--config", "r.yaml"], "r.yaml:2: not YAML: "),
    (
        "no such flag",
        {},
        ["--epoch", "3"],
        "unrecognized arguments: --epoch 3; did you mean '--epochs'? (see python -m kbert",
    ),
    (
        "no number",
        {},
        ["--epochs", "x"],
        "argument --epochs: invalid int value: 'x' (see python -m",
    ),
    ("no choice", {}, ["--task", "parsing"], "argument --task: invalid choice: 'parsing' (choose"),
]


@pytest.mark.parametrize(
    ("files", "arguments", "message"), [case[1:] for case in FILES], ids=[case[0] for case in FILES]
)
def test_a_mistake_is_one_line(
    place: Place, files: dict[str, str | bytes], arguments: list[str], message: str
) -> None:
    for name, content in files.items():
        place.write(name, content)
    assert place.refusal(*arguments).startswith(message.format(folder=place.folder))


def test_an_absent_graph_says_where_it_is_published_and_where_it_goes(place: Place) -> None:
    message = place.refusal("--kg", "hownet")
    assert "is not on this machine; it is published as brain/kgs/HowNet.spo in" in message
    assert message.endswith(f"save it as {place.folder}/home/graphs/hownet.spo")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--devices", "2"],
            "--devices 2: this machine has no GPU; for that many CPU processes say",
        ),
        (["--accelerator", "gpu"], "--accelerator gpu: this machine has no GPU that torch can use"),
    ],
)
def test_devices_that_are_not_there(
    place: Place, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert place.refusal(*arguments).startswith(message)


@pytest.fixture
def base(runs: Runs, place: Place, unsealed: None) -> Path:
    """A pre-trained encoder in the folder `base`."""
    return Path(shutil.copytree(runs("classification"), place.folder / "base"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.9999])
def test_a_checkpoint_that_was_cut_short(place: Place, base: Path, share: float) -> None:
    path = base / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    message = place.refusal("--init", "base", "--max-length", "48")
    assert message.startswith("base/model.safetensors: broken or cut short: ")


def change(base: Path, **entries: Any) -> None:
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps(config | entries), encoding="utf-8")


def test_checkpoints_that_do_not_fit(place: Place, base: Path) -> None:
    assert place.refusal("--init", "base", "--max-length", "513") == (
        "--max-length 513: base has only 512 positions"
    )
    message = place.refusal("--init", "base", "--layers", "3")
    assert message == "--layers is for an encoder from scratch; --init base has its own"
    change(base, model_type="gpt2")
    assert place.refusal("--init", "base").startswith("base/config.json: ")
    change(base, model_type="bert", hidden_act="relu")
    assert place.refusal("--init", "base").startswith("base/config.json: ")
    change(base, hidden_act="gelu", num_hidden_layers=2)
    message = place.refusal("--init", "base")
    assert message.startswith(
        "base/model.safetensors: the tensors do not fit the model: 16 missing"
    )
    change(base, num_hidden_layers=1)
    with (base / "vocab.txt").open("a", encoding="utf-8") as stream:
        stream.write("extra\n")
    (base / "tokenizer.json").unlink()
    message = place.refusal("--init", "base")
    assert message.startswith("--init base: its vocabulary has 59 pieces, but its encoder 58")


def test_checkpoints_that_are_not_there(place: Place, base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    message = place.refusal("--init", "base")
    assert message.startswith("base/model.safetensors: no such file; only safetensors is read")
    (base / "config.json").unlink()
    message = place.refusal("--init", "base")
    assert message == "base/config.json: cannot be read: No such file or directory"
    assert place.refusal("--init", "./absent") == "./absent: no such folder"
    message = place.refusal("--init", "base/vocab.txt")
    assert message.startswith("base/vocab.txt: is a file; give the model folder")


def test_a_vocabulary_beside_a_checkpoint(place: Place, base: Path) -> None:
    (base / "tokenizer.json").write_text("{", encoding="utf-8")
    assert place.refusal("--init", "base").startswith("base/tokenizer.json: not a tokenizer.json")
    (base / "tokenizer.json").unlink()
    (base / "vocab.txt").unlink()
    message = place.refusal("--init", "base")
    assert message == "base: holds neither tokenizer.json nor vocab.txt"


def test_encoder_and_vocabulary_are_looked_for_first(place: Place) -> None:
    """Reading a graph and data may take minutes; here both would be refused as well."""
    (place.folder / "bad.spo").write_text("no triple\n", encoding="utf-8")
    late = ["--kg", "bad.spo", "--data", "absent"]
    assert place.refusal(*late, "--init", "./absent") == "./absent: no such folder"
    message = place.refusal(*late, "--vocab", "v.txt")
    assert message == "v.txt: cannot be read: No such file or directory"


def spoil(base: Path) -> None:
    """Put numbers that are none into a checkpoint, as a diverged training leaves them."""
    tensors = load_file(base / "model.safetensors")
    tensors["bert.encoder.layer.0.output.dense.bias"].fill_(torch.nan)
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    (base / "checksums.json").unlink()


def test_a_training_that_diverges_is_stopped(place: Place, base: Path) -> None:
    spoil(base)
    message = place.refusal("--init", "base", "--max-length", "48", "--accelerator", "cpu")
    start, end = (
        "the training diverged in epoch 1/10, step 1 (loss nan, on ",
        "); lower --learning-rate",
    )
    assert message.startswith(start) and message.endswith(end)
    assert "train.tsv:" in message  # the file and line of an example


def test_a_hub_id_without_network(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    message = place.refusal("--data", "owner/name")
    assert message.startswith("owner/name: no such file or folder here, and the hub does not ")
    message = place.refusal("--init", "owner/name")
    assert message.startswith("owner/name: no such folder here, and the hub did not give it ")


def test_the_hub_does_not_talk_about_its_retries() -> None:
    """It sets its level when it is first imported, so a process of its own is needed."""
    code = (
        "import logging; from kbert.console import guard; guard(lambda: None)\n"
        "from huggingface_hub import snapshot_download\n"
        "assert logging.getLogger('huggingface_hub').getEffectiveLevel() == logging.ERROR"
    )
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_VERBOSITY"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


class Closed:
    """A stream whose reader went away."""

    def write(self, text: str) -> None:
        raise BrokenPipeError


def test_talk_that_nobody_reads_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Closed())
    done: list[bool] = []

    def work() -> None:
        console.say("epoch 1")
        done.append(True)

    assert console.guard(work) == 0 and done


def test_a_defect_keeps_its_traceback() -> None:
    def defect() -> None:
        raise BrokenPipeError("of a worker, not of our output")

    with pytest.raises(BrokenPipeError):
        console.guard(defect)


def command(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kbert.train", "--data", "data", "--output", "run", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.slow
def test_an_interrupt_leaves_what_can_be_gone_on_with(place: Place) -> None:
    before = contents(place.folder)
    with command(place.folder, *SMALL, "--epochs", "100000", "--accelerator", "cpu") as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                break
        (left,) = place.folder.glob("run.partial-*")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().splitlines()
        assert (process.wait(timeout=60), process.stdout.read()) == (130, "")
    assert said[-1].startswith("stopped by Ctrl-C after step ")
    assert said[-1].endswith(f"go on with: python -m kbert.train --resume {left.name}")
    assert all(line.startswith("epoch ") for line in said[:-1])
    shutil.rmtree(left)
    assert contents(place.folder) == before


@pytest.mark.slow
def test_two_processes_that_diverge_end_as_one(place: Place, base: Path) -> None:
    """Neither is killed by the other's status, and only the first one speaks."""
    spoil(base)
    before = contents(place.folder)
    flags = ["--init", "base", "--max-length", "48", "--accelerator", "cpu", "--devices", "2"]
    with command(place.folder, *flags) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, ""), err
    assert err.count("the training diverged in epoch 1/10, step 1 (loss nan, on ") == 1
    assert "Traceback" not in err and "Initializing distributed" not in err
    assert contents(place.folder) == before
