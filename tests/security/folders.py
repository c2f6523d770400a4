"""Sound folders of every kind that a command opens, without training: what is then made hostile."""

from __future__ import annotations

import contextlib
import io
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch

import graphs
import graphs.__main__
import kbert.convert
import kbert.fill
import kbert.predict
import kbert.train
import kgbert.score
from graphs import TripleStore
from kbert.nn import Classifier, Encoder, LanguageModel
from kbert.nn.checkpoint import save
from kbert.nn.config import EncoderConfig
from kbert.run import GraphRecord, RunRecord
from kbert.settings import TrainSettings
from kbert.tokenizer import Tokenizer
from kgbert.data import load_data
from tests.kgbert.runs import write_run

GRAPH = "北京\t首都\t中国\nAda\tborn in\tLondon\nLondon\tis a\tcity\n"
TABLE = "label\ttext_a\na\tAda in London\nb\tthe city\n"
_CPU_SECONDS = 20
_MEMORY = 1 << 30
_CANARY = "canary_module"


@dataclass(frozen=True)
class Place:
    """A folder with a run of each command, a graph and data, all of them sound."""

    folder: Path

    @property
    def run(self) -> Path:
        """A run of `kbert.train`."""
        return self.folder / "run"

    @property
    def model(self) -> Path:
        """A masked language model without a run."""
        return self.folder / "model"

    @property
    def triples(self) -> Path:
        """A run of `kgbert.train`."""
        return self.folder / "triples"

    @property
    def graph(self) -> Path:
        """A compiled graph."""
        return self.folder / "graph"

    @property
    def models(self) -> tuple[Path, ...]:
        return self.run, self.model, self.triples


def make_place(folder: Path) -> Place:
    """Write sound folders; weights are drawn."""
    place = Place(folder)
    torch.manual_seed(0)
    (folder / "graph.spo").write_text(GRAPH, encoding="utf-8")
    graphs.compile([folder / "graph.spo"], place.graph)
    (folder / "train.tsv").write_text(TABLE, encoding="utf-8")
    data = load_data("sample")
    head, relation, tail = data.train[0].tolist()
    row = data.entities[head], data.relations[relation], data.entities[tail]
    (folder / "ask.tsv").write_text("\t".join(row) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.train([GRAPH, TABLE, "abcdefghijklmnopqrstuvwxyz"] * 2, vocab_size=150)
    config = EncoderConfig(
        vocab_size=len(tokenizer), width=8, layers=1, heads=2, feed_forward=16, max_positions=64
    )
    settings = TrainSettings(data=str(folder / "train.tsv"), kg=str(place.graph), max_length=48)
    store = TripleStore.open(place.graph)
    save(Classifier(Encoder(config), 2), place.run, labels=["a", "b"])
    tokenizer.save(place.run)
    RunRecord(
        "classification", ("a", "b"), "word", GraphRecord.of(store), "first", settings, {}
    ).write(place.run)
    save(LanguageModel(Encoder(config)), place.model)
    tokenizer.save(place.model)
    write_run(place.triples)
    return place


class Ending(NamedTuple):
    """How a command ended: its status, and the lines that it said."""

    status: int
    out: str
    said: list[str]


Command = Callable[[Place], list[str]]
COMMANDS: dict[str, tuple[Callable[[list[str]], int], Command]] = {
    "predict": (kbert.predict.main, lambda p: [str(p.run), "Ada in London"]),
    "fill": (kbert.fill.main, lambda p: [str(p.model), "Ada in [MASK]"]),
    "train": (
        kbert.train.main,
        lambda p: [
            "--init", str(p.model), "--data", str(p.folder / "train.tsv"), "--kg", "none",
            "--max-length", "32", "--epochs", "1", "--output", str(p.folder / "out"),
        ],
    ),
    "score": (kgbert.score.main, lambda p: [str(p.triples), str(p.folder / "ask.tsv")]),
    "info": (graphs.__main__.main, lambda p: ["info", str(p.graph)]),
}  # fmt: skip


def run(main: Callable[[list[str]], int], arguments: list[str]) -> Ending:
    """Run a command in this process, in bounded time and memory."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _bounds():
        try:
            status = main(arguments)
        except SystemExit as end:  # of the argument parser
            status = int(end.code or 0)
    return Ending(status, out.getvalue(), err.getvalue().splitlines())


def command(name: str, place: Place) -> Ending:
    """Run one of `COMMANDS` on a place."""
    main, arguments = COMMANDS[name]
    return run(main, arguments(place))


@contextlib.contextmanager
def _bounds() -> Iterator[None]:
    """Let the block have so many seconds of the processor, and so much more memory."""

    def too_slow(_: int, frame: FrameType | None) -> None:
        raise AssertionError(f"more than {_CPU_SECONDS} s of the processor, in {frame}")

    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    old = signal.signal(signal.SIGPROF, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, before[1]))
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def canaries(folder: Path) -> Iterator[str]:
    """Lay out what hostile files reach for; afterwards nothing may have come of it.

    Yields the path of a file that must not be made. A module named `canary_module` can be
    imported, and must not be.
    """
    song = folder / "song"
    (folder / f"{_CANARY}.py").write_text(
        f"from pathlib import Path\nPath({str(song)!r}).touch()\ndef sing(*_):\n    return 1\n"
    )
    sys.path.insert(0, str(folder))
    try:
        yield str(song)
    finally:
        sys.path.remove(str(folder))
        imported = sys.modules.pop(_CANARY, None)
        assert not song.exists(), "a hostile file had its way"
        assert imported is None, "a module that a hostile file names was imported"
