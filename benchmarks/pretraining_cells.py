"""What `benchmarks.pretraining_step` measures, the most wanted first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from benchmarks.pretraining_tables import DENSE, OURS, PADDED, PEER

ALL: Final = (PEER, DENSE, PADDED, OURS)
_SIZES: Final[Mapping[str, Mapping[str, int]]] = {
    "tiny": {"layers": 1, "width": 32, "heads": 2, "feed_forward": 64},
    "mini": {"layers": 4, "width": 256, "heads": 4, "feed_forward": 1024},
    "base": {"layers": 12, "width": 768, "heads": 12, "feed_forward": 3072},
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One comparison, of the contenders `ways` in the given precisions.

    `batches` packed batches of `batch_tokens` slots are a round. `compile` is the backend, None
    to compile nothing.
    """

    size: str
    corpus: str
    relation: str
    max_length: int
    dropout: float
    batch_tokens: int
    batches: int
    ways: tuple[str, ...] = ALL
    precisions: tuple[str, ...] = ("fp32", "bf16")
    compile: str | None = None

    @property
    def sizes(self) -> Mapping[str, int]:
        """Return the sizes of the encoder."""
        return _SIZES[self.size]

    def to_mapping(self) -> dict[str, Any]:
        """List all of it as plain values, for the result file."""
        return {name: value for name, value in asdict(self).items() if name != "ways"} | {
            "sizes": dict(self.sizes)
        }


def cells(names: Sequence[str], *, device: str, quick: bool) -> list[Cell]:
    """List the cells of a device, on corpora of these names; `quick` some of both, but tiny."""
    cpu, gpu = _on_cpu(names), _on_gpu(names)
    if quick:
        return [
            replace(cell, size="tiny", batch_tokens=512, batches=1, **_uncompiled(cell, device))
            for cell in (cpu[0], cpu[-1], gpu[0])
        ]
    return gpu if device == "cuda" else cpu


def _uncompiled(cell: Cell, device: str) -> dict[str, Any]:
    """Trace only, where compiling would need a compiler and minutes."""
    return {"compile": "eager"} if cell.compile and device == "cpu" else {}


def _on_cpu(names: Sequence[str]) -> list[Cell]:
    """BERT-mini in four steps and two precisions, and BERT-base from end to end."""
    one, other = names[0], names[-1]
    mini = Cell(
        size="mini", corpus=one, relation="none", max_length=128, dropout=0.1,
        batch_tokens=4096, batches=1,
    )  # fmt: skip
    return [
        mini,
        replace(mini, corpus=other, relation="nsp"),
        replace(mini, corpus=other, max_length=512),
        replace(
            mini, size="base", corpus=other, batch_tokens=1024, batches=1,
            ways=(PEER, OURS), precisions=("bf16",),
        ),
    ]  # fmt: skip


def _on_gpu(names: Sequence[str]) -> list[Cell]:
    """BERT-base at 128 and 512, in bf16 and compiled; then without dropout; then the steps."""
    ends = Cell(
        size="base", corpus=names[-1], relation="nsp", max_length=128, dropout=0.1,
        batch_tokens=32768, batches=24, ways=(PEER, OURS), precisions=("bf16",),
        compile="inductor",
    )  # fmt: skip
    long = replace(ends, max_length=512)
    return [
        ends,
        long,
        replace(ends, dropout=0.0),
        replace(long, dropout=0.0),
        replace(ends, relation="none"),
        replace(long, relation="none"),
        replace(ends, ways=ALL),
        replace(long, ways=ALL),
    ]
