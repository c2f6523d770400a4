from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from kbert.errors import CheckpointError
from kbert.nn.hub import has_dataset, resolve


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Stand in for the hub: note what is asked for, and give an empty folder."""
    names: list[str] = []

    def fetch(name: str, *, allow_patterns: list[str]) -> str:
        assert "model.safetensors" in allow_patterns
        assert not any("*" in pattern or pattern.endswith(".bin") for pattern in allow_patterns)
        names.append(name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    return names


@pytest.mark.parametrize(
    "name", ["bert-base-chinese", "google/bert_uncased_L-2_H-128_A-2", "a/b.c"]
)
def test_a_hub_id_is_fetched(name: str, asked: list[str], tmp_path: Path) -> None:
    assert resolve(name) == tmp_path
    assert asked == [name]


def test_a_folder_wins_over_an_id(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve("owner/model") == Path("owner/model")
    assert resolve(tmp_path) == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/owner") == tmp_path / "owner"
    assert asked == []


@pytest.mark.parametrize(
    "source",
    [
        "./model", "../model", "/no/such/model", "~/no/such", "runs/last/best", "a\\b",
        Path("/no/such"), "", "a b", "模型", "-x", "a..b", "a--b", "a/", "a/b-", "x" * 97,
        "x" * 300, "~nobody-here/x", "a\0b", "a\nb",
    ],
)  # fmt: skip
def test_what_cannot_be_an_id_never_reaches_the_hub(source: str | Path, asked: list[str]) -> None:
    with pytest.raises(CheckpointError, match="no such folder") as caught:
        resolve(source)
    assert asked == []
    assert "\n" not in str(caught.value)


def test_a_file_is_not_a_model(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(CheckpointError, match="is a file"):
        resolve(file)


RESPONSE: Any = SimpleNamespace(headers={}, request=None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.LocalEntryNotFoundError("no network\nand more"), "check the network"),
        (errors.OfflineModeIsEnabled("offline"), "check the network"),
        (
            errors.HfHubHTTPError.__bases__[0]("the network library's own error"),
            "check the network",
        ),
        (ConnectionResetError("reset"), "check the network"),
        (errors.HFValidationError("odd name"), "did not give it"),
        (errors.RepositoryNotFoundError("404", response=RESPONSE), "no such model on the hub"),
        (errors.GatedRepoError("403", response=RESPONSE), "terms"),
    ],
)
def test_what_the_hub_refuses_is_one_clear_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, **_: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match=said) as caught:
        resolve("owner/model")
    assert str(caught.value).startswith("owner/model: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, True),
        (errors.GatedRepoError("403", response=RESPONSE), True),
        (errors.HfHubHTTPError("503", response=RESPONSE), True),
        (errors.RepositoryNotFoundError("404", response=RESPONSE), False),
        (errors.HFValidationError("odd name"), False),
        (errors.OfflineModeIsEnabled("offline"), None),
        (errors.HfHubHTTPError.__bases__[0]("the network library's own error"), None),
        (TimeoutError("slow"), None),
    ],
)
def test_the_hub_is_asked_once_for_a_data_set(
    answer: Exception | None, expected: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def dataset_info(self: object, name: str, *, timeout: float) -> None:
        names.append(name)
        assert 0 < timeout < 60
        if answer is not None:
            raise answer

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    assert has_dataset("owner/data") is expected
    assert names == ["owner/data"]
