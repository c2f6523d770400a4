from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from kbert.errors import CheckpointError, DataError, KbertError, RunError, SettingsError


@pytest.mark.parametrize("kind", [SettingsError, DataError, CheckpointError, RunError])
def test_every_error_is_a_kbert_error_and_prints_its_message(kind: type[KbertError]) -> None:
    error = kind("the value is 3; expected 4")
    assert isinstance(error, KbertError)
    assert str(error) == "the value is 3; expected 4"


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [
        ("a.tsv", 7, "a.tsv:7: no label"),
        (Path("b/a.tsv"), None, "b/a.tsv: no label"),
        (None, 7, "line 7: no label"),
        (None, None, "no label"),
    ],
)
def test_a_data_error_says_where(file: str | Path | None, line: int | None, text: str) -> None:
    assert str(DataError("no label", file=file, line=line)) == text


def test_errors_survive_pickling() -> None:
    data = pickle.loads(pickle.dumps(DataError("bad", file=Path("x"), line=2)))
    assert (str(data), data.file, data.line) == ("x:2: bad", Path("x"), 2)
    lists = CheckpointError("bad", missing=["a"], unexpected=["b"], mismatched=["c"])
    copy = pickle.loads(pickle.dumps(lists))
    assert (copy.missing, copy.unexpected, copy.mismatched) == (("a",), ("b",), ("c",))
    assert str(copy) == "bad"
