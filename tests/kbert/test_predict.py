"""The command line of prediction: where texts come from, and what is written for them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import kbert
from kbert.devices import check_device
from kbert.errors import DataError
from kbert.predict import main

Runs = Callable[[str], Path]
Capture = pytest.CaptureFixture[str]


class Stdin:
    """Standard input with these bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def answers(capsys: Capture, *arguments: str | Path) -> list[dict[str, Any]]:
    assert main([str(argument) for argument in arguments]) == 0
    out, err = capsys.readouterr()
    assert "error" not in err
    return [json.loads(line) for line in out.splitlines()]


def refused(capsys: Capture, *arguments: str | Path) -> str:
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as end:  # of the argument parser
        status = end.code  # type: ignore[assignment]
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert (status, out) == (2, "") and "Traceback" not in err
    assert [line for line in lines if line.startswith("error: ")] == [lines[-1]]
    return str(lines[-1].removeprefix("error: "))


def test_arguments_file_and_standard_input_say_the_same(
    runs: Runs, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, texts = runs("classification"), ["我爱北京的苹果", "我不去上海", " x\u2028y\x85 "]
    given = answers(capsys, run, *texts)
    assert [answer["text"] for answer in given] == texts
    file = tmp_path / "texts.txt"
    file.write_bytes("\n".join(texts).encode())  # no line end after the last line
    assert answers(capsys, run, "--file", file) == given
    file.write_bytes(b"\xef\xbb\xbf" + "".join(f"{text}\r\n" for text in texts).encode())
    assert answers(capsys, run, "--file", file) == given
    monkeypatch.setattr(sys, "stdin", Stdin("\n".join(texts).encode()))
    assert answers(capsys, run) == given


def test_flags_may_stand_between_texts(runs: Runs, small_data: Path, capsys: Capture) -> None:
    graph = small_data / "graph.spo"
    found = answers(capsys, runs("classification"), "我", "--kg", graph, "他", "--device", "cpu")
    assert [answer["text"] for answer in found] == ["我", "他"]


def test_classification_as_json(runs: Runs, capsys: Capture) -> None:
    (found,) = answers(capsys, runs("classification"), "我爱北京的苹果")
    assert list(found) == ["text", "label", "probabilities", "facts"]
    assert found["label"] == "好" and list(found["probabilities"]) == ["坏", "好"]
    assert found["facts"] == [["北京", "首都", "中国"], ["苹果", "是", "水果"]]


def test_the_library_says_the_same(runs: Runs, capsys: Capture) -> None:
    (found,) = answers(capsys, runs("classification"), "我在上海")
    (expected,) = kbert.load(runs("classification")).predict(["我在上海"])
    assert found["label"] == expected.label
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)


def test_pairs_are_separated_by_a_tab(runs: Runs, capsys: Capture) -> None:
    found = answers(capsys, runs("pair"), "我在北京\t他在北京", "我在北京\t苹果")
    assert [(a["text"], a["pair"], a["label"]) for a in found] == [
        ("我在北京", "他在北京", "1"),
        ("我在北京", "苹果", "0"),
    ]
    message = "text 2: a pair is two texts with a TAB between, found "
    assert refused(capsys, runs("pair"), "我\t他", "我") == message + "1"
    assert refused(capsys, runs("pair"), "我\t他", "我\t他\t她") == message + "3"
    assert refused(capsys, runs("pair"), "我\t") == "text 1: the text is empty"


def test_spans_as_json(runs: Runs, capsys: Capture) -> None:
    (found,) = answers(capsys, runs("bioes"), "Tim Cook visits Beijing")
    assert list(found) == ["text", "spans", "facts"]
    assert found["spans"] == [
        {"start": 0, "end": 8, "type": "PER", "text": "Tim Cook"},
        {"start": 16, "end": 23, "type": "LOC", "text": "Beijing"},
    ]
    (found,) = answers(capsys, runs("tagging"), "库克去上海")
    assert [(s["start"], s["end"], s["type"]) for s in found["spans"]] == [
        (0, 2, "PER"),
        (3, 5, "LOC"),
    ]


def test_words_may_be_split_already(runs: Runs, tmp_path: Path, capsys: Capture) -> None:
    line = "The U.S. paid Al-Qaida 3,000 dollars ."
    (found,) = answers(capsys, runs("punctuated"), "--split-words", line)
    assert list(found) == ["text", "spans", "tags", "facts"] and found["text"] == line
    assert found["tags"] == ["O", "B-LOC", "O", "B-ORG", "O", "O", "O"]
    assert [span["text"] for span in found["spans"]] == ["U.S.", "Al-Qaida"]
    file = tmp_path / "texts.txt"
    file.write_text("It was\nIt  was\n", encoding="utf-8")
    message = refused(capsys, runs("punctuated"), "--split-words", "--file", file)
    assert message == f"{file}:2: word 2 of 3 is empty"
    run = runs("classification")
    message = refused(capsys, run, "--split-words", "我 爱")
    assert message == f"--split-words is for models of tagging; {run} is of classification"


def test_a_text_that_was_cut_says_so(runs: Runs, capsys: Capture) -> None:
    (found,) = answers(capsys, runs("classification"), "我" * 50)
    assert found["cut_tokens"] == 4


def test_a_tab_is_a_space_to_a_model_of_single_texts(runs: Runs, capsys: Capture) -> None:
    (found,) = answers(capsys, runs("classification"), "我\t爱")
    assert found["text"] == "我\t爱"


def test_an_empty_line_is_refused_with_its_number(
    runs: Runs, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "texts.txt"
    for nothing in ("", "   ", "\u3000"):
        file.write_text(f"我\n{nothing}\n他\n", encoding="utf-8")
        message = refused(capsys, runs("classification"), "--file", file)
        assert message == f"{file}:2: the text is empty"
    file.write_text("我\n\u200b\n", encoding="utf-8")
    message = refused(capsys, runs("classification"), "--file", file)
    assert message.startswith(f"{file}:2: the text ") and message.endswith("it has no token")
    monkeypatch.setattr(sys, "stdin", Stdin(b"a\n\n\nb\n"))
    assert refused(capsys, runs("classification")) == "standard input:2: the text is empty"


def test_empty_lines_may_stand_at_the_end(
    runs: Runs, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (b"a\n\n", b"a\r\n\r\n\n\r\n"):
        monkeypatch.setattr(sys, "stdin", Stdin(content))
        assert [answer["text"] for answer in answers(capsys, runs("classification"))] == ["a"]
    monkeypatch.setattr(sys, "stdin", Stdin(b"\n\n"))
    assert answers(capsys, runs("classification")) == []


def test_an_error_far_down_comes_after_the_answers_before_it(
    runs: Runs, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("我\n" * 1500 + "\n我\n", encoding="utf-8")
    assert main([str(runs("classification")), "--file", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") == 1024 and err.endswith(f"error: {file}:1501: the text is empty\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ok\ncaf\xe9\n", "{file}:2: not UTF-8 at byte 3; save the texts as UTF-8"),
        (None, "{file}: cannot be read: No such file or directory"),
    ],
)
def test_files_that_cannot_be_read(
    runs: Runs, tmp_path: Path, capsys: Capture, content: bytes | None, message: str
) -> None:
    file = tmp_path / "texts.txt"
    if content is not None:
        file.write_bytes(content)
    found = refused(capsys, runs("classification"), "--file", file)
    assert found == message.format(file=file)


def test_no_text_at_all_has_no_answer(
    runs: Runs, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b""))
    assert answers(capsys, runs("classification")) == []


def test_wrong_ways_to_ask(runs: Runs, tmp_path: Path, capsys: Capture) -> None:
    run = runs("classification")
    both = refused(capsys, run, "我", "--file", "x")
    assert both == "texts stand on the command line and in --file; give one of them"
    for device in ("abacus", "meta", "mps", "xpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", ""):
        message = refused(capsys, run, "我", "--device", device)
        assert message == f"--device must be cpu, cuda or cuda:N, was {device!r}"
    assert refused(capsys, tmp_path / "no") == f"{tmp_path / 'no'}: no such run folder"
    assert "not a run of kbert.train" in refused(capsys, tmp_path, "我")
    assert "required: RUN" in refused(capsys)
    unknown = refused(capsys, run, "--files", "x")
    assert unknown.startswith("unrecognized arguments: --files x; did you mean '--file'? (see")
    folder = refused(capsys, run, "--file", tmp_path)
    assert folder == f"{tmp_path}: cannot be read: Is a directory"


def test_another_graph_is_refused_unless_asked_for(runs: Runs, capsys: Capture) -> None:
    run = runs("classification")
    assert "--allow-other-graph" in refused(capsys, run, "--kg", "none", "我在北京")
    (found,) = answers(capsys, run, "--kg", "none", "--allow-other-graph", "我在北京")
    assert found["facts"] == []
    message = refused(capsys, run, "--kg", "hownett", "我")
    assert "did you mean 'hownet'?" in message


@pytest.mark.usefixtures("unsealed")
@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("run.json", b"{", "run.json: damaged"),
        ("model.safetensors", None, "model.safetensors: no such file"),
        ("model.safetensors", b"\0" * 20, "model.safetensors: broken or cut short"),
        ("config.json", b"[]", "config.json: not a JSON object"),
        ("tokenizer.json", b"{}", "tokenizer.json: not a tokenizer.json"),
    ],
)
def test_broken_runs(
    runs: Runs, tmp_path: Path, capsys: Capture, file: str, content: bytes | None, message: str
) -> None:
    run = shutil.copytree(runs("pair"), tmp_path / "run")
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    assert refused(capsys, run, "我\t他").startswith(f"{run}/{message}")


@pytest.mark.parametrize(
    ("gpus", "name", "message"),
    [
        (0, "cpu", None),
        (0, "cuda", "--device cuda: this machine has no GPU that torch can use"),
        (0, "cuda:0", "--device cuda:0: this machine has no GPU that torch can use"),
        (1, "cuda", None),
        (2, "cuda:1", None),
        (2, "cuda:2", "--device cuda:2: this machine has 2 GPUs, from cuda:0 on"),
    ],
)
def test_a_device_must_be_there(
    monkeypatch: pytest.MonkeyPatch, gpus: int, name: str, message: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if message is None:
        assert check_device(name) == name
    else:
        with pytest.raises(DataError) as caught:
            check_device(name)
        assert str(caught.value) == message


def test_weights_that_are_no_numbers_give_no_json(
    runs: Runs, tmp_path: Path, capsys: Capture
) -> None:
    run = shutil.copytree(runs("classification"), tmp_path / "run")
    tensors = load_file(run / "model.safetensors")
    broken = {name: torch.full_like(tensor, torch.nan) for name, tensor in tensors.items()}
    save_file(broken, run / "model.safetensors", metadata={"format": "pt"})
    (run / "checksums.json").unlink()
    message = refused(capsys, run, "我")
    assert message == "the model's answers are no numbers (NaN): its training diverged"


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(runs: Runs, tmp_path: Path) -> None:
    """As with `| head -1`, under a locale that knows no Chinese."""
    file = tmp_path / "texts.txt"
    file.write_text("我爱北京的苹果\n" * 5000, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "kbert.predict", str(runs("classification")), "--file", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=60)) == (b"", 0)
    assert (first["text"], first["label"]) == ("我爱北京的苹果", "好")


def test_only_the_run_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: the following arguments are required: RUN (")
