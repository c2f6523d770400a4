"""Whole runs, in seconds: what they write, who can load it, and how they end."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

import kbert
from kbert.errors import DataError, Diverged, RunError, SettingsError
from kbert.nn.checkpoint import load_language_model
from kbert.pretrain import main
from kbert.pretraining.module import Pretraining
from kbert.pretraining.parts import make_weights
from kbert.pretraining.run import pretrain
from kbert.pretraining.settings import PretrainSettings, settings_from
from kbert.pretraining.shards import Corpus

Settings = Callable[..., PretrainSettings]
REPOSITORY = Path(__file__).resolve().parents[3]
FILES = [
    "README.md", "checksums.json", "config.json", "config.yaml", "metrics.csv", "metrics.json",
    "model.safetensors", "run.json", "samples.txt", "tokenizer.json", "tokenizer_config.json",
    "vocab.txt",
]  # fmt: skip


def weights(folder: Path | str | None) -> dict[str, torch.Tensor]:
    assert folder is not None
    tensors: dict[str, torch.Tensor] = load_file(Path(folder) / "model.safetensors")
    return tensors


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_folder_is_a_model_for_everyone(settings: Settings, tmp_path: Path) -> None:
    chosen = settings(phases=["4x32", "3x64"], relation="nsp")
    report = pretrain(chosen)
    folder = tmp_path / "run"
    assert sorted(file.name for file in folder.iterdir()) == FILES
    assert list(tmp_path.iterdir()) == [folder]
    assert report.step == 7 and [m.step for m in report.measures] == [3, 4, 6, 7]

    theirs, told = transformers.BertForPreTraining.from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    ours = load_language_model(folder).eval()
    ids = torch.tensor([[2, 5, 6, 7, 3, 8, 9, 3]])
    segments = torch.tensor([[0, 0, 0, 0, 0, 1, 1, 1]])
    with torch.no_grad():
        expected = theirs.eval()(ids, token_type_ids=segments)
        made = ours(ids, positions=torch.arange(8)[None], segments=segments, visibility=None)
    torch.testing.assert_close(made.tokens, expected.prediction_logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        made.relation, expected.seq_relationship_logits, rtol=1e-4, atol=1e-5
    )

    rows = list(csv.DictReader((folder / "metrics.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["step"], row["set"]) for row in rows] == [
        ("2", "train"), ("3", "held out"), ("4", "train"), ("4", "held out"),
        ("6", "train"), ("6", "held out"), ("7", "train"), ("7", "held out"),
    ]  # fmt: skip
    assert [row["phase"] for row in rows] == ["1"] * 4 + ["2"] * 4
    metrics = json.loads((folder / "metrics.json").read_bytes())
    assert metrics["step"] == 7 and metrics["tokens"] == report.tokens > 0
    assert len((folder / "samples.txt").read_text(encoding="utf-8").splitlines()) == 2
    assert settings_from(folder / "config.yaml", {}) == chosen
    with pytest.raises(RunError, match=r"kbert\.train --init"):
        kbert.load(folder)
    assert kbert.encode(["a text"], source=folder).shape == (1, theirs.config.hidden_size)


@pytest.mark.parametrize("packing", [False, True])
def test_the_share_of_padding_is_that_of_the_batches(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: bool
) -> None:
    ids: list[torch.Tensor] = []
    portion = Pretraining.portion

    def seen(self: Pretraining, part: Any, whole: torch.Tensor) -> Any:
        ids.append(part.inputs.token_ids.ravel())
        return portion(self, part, whole)

    monkeypatch.setattr(Pretraining, "portion", seen)
    pretrain(settings(phases=["4x32", "3x64"], packing=packing))
    found = json.loads((tmp_path / "run" / "metrics.json").read_bytes())["padding_share"]
    assert found > 0
    assert found == pytest.approx(float((torch.cat(ids) == 0).double().mean()))


def test_fine_tuning_begins_with_it(
    settings: Settings, tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kbert.finetune import finetune
    from kbert.settings import TrainSettings

    pretrain(settings(relation="none", phases=["2x32"]))
    report = finetune(
        TrainSettings(
            init=str(tmp_path / "run"), data=str(small_data / "classification"), max_length=32,
            epochs=1, accelerator="cpu", output=str(tmp_path / "fine"),
        )
    )  # fmt: skip
    assert report.test


def test_texts_become_a_corpus_of_the_run_alone(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    arguments = [
        "--texts", str(texts), "--lines", "sentence", "--vocab-size", "60", "--phases", "2x32",
        "--batch-tokens", "64", "--width", "16", "--layers", "1", "--feed-forward", "16",
        "--accelerator", "cpu", "--peak-tflops", "0.1", "--output", str(run),
    ]  # fmt: skip
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert said.out.startswith("held out") and "MFU" in said.err and "tokens/s" in said.err
    assert re.search(r"phase 1: 2 steps at length 32, .* of the tokens are cut to fit\n", said.err)
    assert sorted(file.name for file in run.iterdir()) == sorted([*FILES, "report.html"])
    again = ["--init", str(run), "--texts", str(texts), "--lines", "sentence", "--phases", "2x32"]
    more = ["--relation", "sop", "--accelerator", "cpu", "--output", str(tmp_path / "more")]
    assert main([*again, *more]) == 0
    assert weights(run)["bert.embeddings.word_embeddings.weight"].shape[0] <= 60
    labels = json.loads((tmp_path / "more" / "config.json").read_bytes())["id2label"]
    assert labels == {"0": "next", "1": "previous"}


def test_the_loss_falls_far_below_the_unigrams(settings: Settings, small_corpus: Corpus) -> None:
    """Names repeat within a document, and places say what kind of word is missing."""
    report = pretrain(
        settings(
            phases=["400x32"], width=32, feed_forward=64, relation="none", dropout=0.0,
            batch_tokens=256, log_every=100, validate_every=400, mask_share=1.0, random_share=0.0,
        )
    )  # fmt: skip
    counts = np.bincount(small_corpus.token_ids)
    shares = counts[counts > 0] / counts.sum()
    unigram = float(-(shares * np.log(shares)).sum())
    score = report.measures[-1].scores["masked"]
    assert score.loss < 0.5 * unigram and score.accuracy > 2 * shares.max()


def test_runs_repeat_bit_for_bit_whatever_the_workers(settings: Settings, tmp_path: Path) -> None:
    runs = {
        name: settings(output=str(tmp_path / name), **changes)
        for name, changes in {
            "a": {}, "b": {"workers": 2}, "c": {"seed": 2}, "d": {"checkpoint_layers": True},
        }.items()
    }  # fmt: skip
    for chosen in runs.values():
        pretrain(chosen)
    first = weights(runs["a"].output)
    assert equal(first, weights(runs["b"].output))
    assert not equal(first, weights(runs["c"].output))
    for name, tensor in weights(runs["d"].output).items():
        torch.testing.assert_close(tensor, first[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"relation": "none", "boundary_weight": 1.0, "unit": "word", "spans": "geometric"},
        {"causal_share": 0.5},
        {"causal_share": 0.5, "relation": "none", "masked_weight": 0.0},
    ],
)
def test_accumulation_equals_the_big_batch(
    settings: Settings, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Micro-batches have other numbers of targets, so a mean of means would differ."""
    common = {"dropout": 0.0, "clip": 0.5, **changes}
    big = settings(batch_tokens=128, output=str(tmp_path / "big"), **common)
    cut = settings(batch_tokens=32, accumulate=4, output=str(tmp_path / "cut"), **common)
    for chosen in (big, cut):
        pretrain(chosen)
    one, other = weights(big.output), weights(cut.output)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=2e-5)


def test_what_is_held_out_is_the_same_whatever_the_seed(settings: Settings, tmp_path: Path) -> None:
    """At a rate of 0 nothing is learnt, so each seed measures the same weights."""
    pretrain(settings(output=str(tmp_path / "first")))
    scratch = {"layers": 2, "width": 128, "heads": 2, "feed_forward": 512}
    measured = []
    for seed in (1, 2):
        report = pretrain(
            settings(
                init=str(tmp_path / "first"), seed=seed, learning_rate=0.0, phases=["3x32", "1x16"],
                output=str(tmp_path / str(seed)), **scratch,
            )
        )  # fmt: skip
        measured.append(report.measures)
        assert equal(weights(tmp_path / "first"), weights(tmp_path / str(seed)))
    assert measured[0] == measured[1]
    train = [
        row["masked_loss"]
        for seed in "12"
        for row in csv.DictReader((tmp_path / seed / "metrics.csv").read_text().splitlines())
        if row["set"] == "train"
    ]
    assert len(set(train)) == len(train) == 6  # what is trained on is another


def test_bfloat16_is_for_products_and_not_for_weights(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.dtype] = []
    whole, step = Pretraining.training_step, torch.optim.AdamW.step

    def watched(self: Pretraining, batch: Any, index: int) -> None:
        layer = self.model.network.encoder.layers[0].expand
        hook = layer.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
        whole(self, batch, index)
        hook.remove()

    def stepped(self: Any, *arguments: Any, **options: Any) -> Any:
        result = step(self, *arguments, **options)
        states = [value for state in self.state.values() for value in state.values()]
        kept = [*states, *(p for group in self.param_groups for p in group["params"])]
        assert {value.dtype for value in kept} == {torch.float32}
        return result

    monkeypatch.setattr(Pretraining, "training_step", watched)
    monkeypatch.setattr(torch.optim.AdamW, "step", stepped)
    report = pretrain(settings(precision="bf16", dropout=0.0, output=str(tmp_path / "half")))
    assert set(seen) == {torch.bfloat16}
    monkeypatch.undo()
    full = pretrain(settings(dropout=0.0, output=str(tmp_path / "full")))
    assert report.measures[-1].loss == pytest.approx(full.measures[-1].loss, rel=0.02)
    table = weights(tmp_path / "half")["bert.embeddings.word_embeddings.weight"]
    assert table.dtype == torch.float32 and not torch.equal(table, table.bfloat16().float())


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_are_one_with_bigger_batches(
    settings: Settings, tmp_path: Path, strategy: str
) -> None:
    common = {"dropout": 0.0, "phases": ["4x32"]}
    alone = settings(accumulate=4, batch_tokens=64, output=str(tmp_path / "alone"), **common)
    pretrain(alone)
    shared = settings(
        accumulate=2,
        batch_tokens=64,
        devices=2,
        strategy=strategy,
        output=str(tmp_path / "shared"),
        **common,
    )
    recipe = tmp_path / "shared.yaml"
    recipe.write_text(shared.to_yaml(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "kbert.pretrain", "--config", str(recipe)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, other = weights(alone.output), weights(shared.output)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=2e-5)
    figures = [
        json.loads((tmp_path / n / "metrics.json").read_bytes()) for n in ("alone", "shared")
    ]
    assert figures[0]["tokens"] == figures[1]["tokens"]
    for a, b in zip(figures[0]["held_out"], figures[1]["held_out"], strict=True):
        assert a["masked"]["targets"] == b["masked"]["targets"]
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-3)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_is_the_same(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No compiler of C++ is needed for that: the graph is taken, and run as it is."""
    taken, whole = [], torch.nn.Module.compile

    def eagerly(self: Any, *, dynamic: bool) -> None:
        assert dynamic is False
        taken.append(type(self).__name__)
        whole(self, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", eagerly)
    monkeypatch.setenv("CXX", sys.executable)
    for name, compiled in (("plain", False), ("fast", True)):
        output = str(tmp_path / name)
        pretrain(settings(phases=["2x32"], output=output, dropout=0.0, compile=compiled))
    assert taken == ["Encoder"]
    fast = weights(tmp_path / "fast")
    for name, tensor in weights(tmp_path / "plain").items():
        torch.testing.assert_close(fast[name], tensor, rtol=1e-4, atol=1e-5)


def test_a_compiler_that_is_absent_is_missed_at_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"--compile: there is no C\+\+ compiler '.*none'"):
        pretrain(settings(compile=True))
    assert list(tmp_path.iterdir()) == []


def spoil(monkeypatch: pytest.MonkeyPatch, *, step: int) -> None:
    """Make the weights no numbers just before a step (from 1)."""
    whole = Pretraining.training_step

    def spoilt(self: Pretraining, batch: Any, index: int) -> None:
        if self.steps_done + 1 == step:
            with torch.no_grad():
                self.model.network.tokens.bias.fill_(float("nan"))
        whole(self, batch, index)

    monkeypatch.setattr(Pretraining, "training_step", spoilt)


def test_a_training_that_diverges_keeps_the_last_good_weights(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = settings(phases=["3x32"], output=str(tmp_path / "good"), schedule="cosine", warmup=1.0)
    pretrain(good)
    spoil(monkeypatch, step=5)
    bad = settings(phases=["9x32"], output=str(tmp_path / "bad"), log_every=4, learning_rate=0.03,
                   schedule="cosine", warmup=1.0)  # fmt: skip
    with pytest.raises(Diverged, match=r"step 5 .*the weights of step 3 are in .*bad"):
        pretrain(bad)
    assert sorted(file.name for file in (tmp_path / "bad").iterdir()) == FILES
    assert equal(weights(good.output), weights(bad.output))  # the rates are the same up to here
    metrics = json.loads((tmp_path / "bad" / "metrics.json").read_bytes())
    assert metrics["step"] == 3 and "step 5" in metrics["diverged"]
    spoil(monkeypatch, step=2)
    with pytest.raises(Diverged, match=r"at step 2 \(loss nan, on sequences \d+ of epoch 1, "):
        pretrain(settings(output=str(tmp_path / "none")))
    assert not (tmp_path / "none").exists()


def test_the_rate_rises_and_falls(settings: Settings) -> None:
    def factors(schedule: Any) -> list[float]:
        module = Pretraining(
            torch.nn.Linear(1, 1), weights=make_weights(settings()), learning_rate=1.0,  # type: ignore[arg-type]
            warmup_steps=2, total_steps=6, schedule=schedule, weight_decay=0.0, betas=(0.9, 0.9),
            epsilon=1e-8, clip=0.0, sharded=False, seed=1,
        )  # fmt: skip
        return [module.rate_factor(step) for step in range(7)]

    assert factors("linear") == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    expected = [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447, 0.0]
    assert factors("cosine") == pytest.approx(expected, abs=1e-6)


def test_decay_spares_biases_and_norms(settings: Settings) -> None:
    module = Pretraining(
        torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3)),  # type: ignore[arg-type]
        weights=make_weights(settings()), learning_rate=1.0, warmup_steps=2, total_steps=6,
        schedule="linear", weight_decay=0.5, betas=(0.9, 0.98), epsilon=1e-6, clip=0.0,
        sharded=False, seed=1,
    )  # fmt: skip
    decayed, others = module.configure_optimizers().param_groups
    assert [p.shape for p in decayed["params"]] == [(3, 2)] and decayed["weight_decay"] == 0.5
    assert len(others["params"]) == 3 and others["weight_decay"] == 0.0
    assert decayed["betas"] == (0.9, 0.98) and decayed["fused"]


def test_decay_is_that_of_the_published_script(settings: Settings) -> None:
    """google-research/bert leaves out what is called LayerNorm or bias, in all heads too."""
    from kbert.nn import Encoder, EncoderConfig, LanguageModel
    from kbert.nn.layout import file_names

    config = EncoderConfig(vocab_size=9, width=8, layers=2, heads=2, feed_forward=8)
    network = LanguageModel(Encoder(config), relation_labels=2)
    module = Pretraining(
        network, weights=make_weights(settings()), learning_rate=1.0, warmup_steps=0,
        total_steps=1, schedule="linear", weight_decay=0.5, betas=(0.9, 0.98), epsilon=1e-6,
        clip=0.0, sharded=False, seed=1,
    )  # fmt: skip
    found = {
        id(p): group["weight_decay"]
        for group in module.configure_optimizers().param_groups
        for p in group["params"]
    }
    theirs = file_names(network)
    for name, parameter in network.named_parameters():
        spared = "LayerNorm" in theirs[name] or "bias" in theirs[name]
        assert found[id(parameter)] == (0.0 if spared else 0.5), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus": None}, "either --corpus FOLDER or --texts"),
        ({"texts": ["a.txt"]}, "one of the two"),
        ({"vocab_size": 99}, "--vocab-size is for --texts"),
        ({"phases": ["100"]}, "must be STEPSxLENGTH"),
        ({"phases": ["0x128"]}, "must be STEPSxLENGTH"),
        ({"phases": ["5x4"]}, "lengths from 8"),
        ({"phases": []}, "names no phase"),
        ({"batch_tokens": 16}, "no room for a sequence of 32"),
        ({"relation": "none", "relation_weight": 2.0}, "--relation-weight is for pairs"),
        ({"replace_per": "span"}, "--replace-per is for words or spans"),
        ({"mask_share": 0.95}, "add up to more than 1"),
        ({"causal_share": 0.5, "kg": "cn_dbpedia"}, "--causal-share does not go with --kg"),
        (
            {"causal_share": 0.5, "relation": "none", "masked_weight": 0.0, "causal_weight": 0.0},
            "all objectives have a weight of 0",
        ),
        ({"causal_weight": 2.0}, "--causal-weight is for --causal-share"),
        ({"causal_share": 1.5}, "--causal-share must be between"),
        ({"causal_share": 1}, "--causal-share 1 needs --relation none"),
        ({"causal_share": 1, "mask_rate": 0.3}, "--mask-rate is for masked sequences"),
        ({"causal_share": 1, "boundary_weight": 1.0}, "--boundary-weight is for masked"),
        ({"strategy": "fsdp"}, "--strategy is for several --devices"),
        ({"strategy": "fsdp", "devices": 2, "compile": True}, "--compile does not go with"),
        ({"masked_weight": 0.0, "relation_weight": 0.0}, "nothing would be learnt"),
        ({"masked_weight": 0.0, "relation": "none"}, "nothing would be learnt"),
        ({"width": 15}, "--width must be a multiple"),
        ({"init": "elsewhere"}, "--layers is for an encoder from scratch"),
        ({"seed": -1}, "--seed must be between"),
        ({"relation": "maybe"}, "--relation must be one of"),
    ],
)
def test_settings_that_cannot_be(settings: Settings, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(**changes)


def test_what_does_not_fit_is_refused(
    settings: Settings, small_corpus: Corpus, texts: Path, tmp_path: Path
) -> None:
    pretrain(settings(phases=["1x32"], output=str(tmp_path / "short")))
    scratch = {"layers": 2, "width": 128, "heads": 2, "feed_forward": 512}
    again = settings(init=str(tmp_path / "short"), phases=["1x600"], batch_tokens=600, **scratch)
    with pytest.raises(SettingsError, match=r"600 tokens, but .* has only 512 positions"):
        pretrain(again)
    untouched = {"init": str(tmp_path / "short"), "corpus": None, "texts": [str(tmp_path / "x")]}
    with pytest.raises(SettingsError, match="has only 512 positions"):  # before texts are read
        pretrain(settings(phases=["1x600"], batch_tokens=600, **untouched, **scratch))
    with pytest.raises(DataError, match="is no corpus"):
        pretrain(settings(corpus=str(tmp_path)))
    with pytest.raises(RunError, match="exists already"):
        pretrain(settings(output=str(tmp_path / "short")))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["short"]


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        (b"", [], "holds no text"),
        (b"a b c\nd e f\n", [], "draws from another document"),
        ("北京是城市\n".encode("gb18030"), [], "not UTF-8"),
        (b"a b c\n", ["--vocab", "{folder}/bad.txt"], "MASK"),
        (b"a b c\n", ["--vocab", "{folder}/none.txt"], "none.txt"),
    ],
)
def test_mistakes_are_one_line(
    content: bytes,
    more: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bad.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n", encoding="utf-8")
    (tmp_path / "texts.txt").write_bytes(content)
    arguments = ["--texts", str(tmp_path / "texts.txt"), "--phases", "1x32", "--accelerator", "cpu"]
    arguments += [part.format(folder=tmp_path) for part in more]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.txt", "texts.txt"]


@pytest.mark.parametrize(
    "recipe", sorted((REPOSITORY / "configs" / "pretrain").glob("*.yaml")), ids=lambda f: f.stem
)
def test_the_recipes_are_valid(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KBERT_CORPUS", "somewhere")
    monkeypatch.setenv("KBERT_KG", "hownet")
    assert main(["--config", str(recipe), "--print-config"]) == 0
    assert "corpus: somewhere" in capsys.readouterr().out
