"""What an evaluation came to: for programs, for people, and as files of a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graphs.errors import GraphError
from graphs.replacing import replacing
from kbert.errors import RunError
from kgbert.intervals import bootstrap
from kgbert.metrics import RankMetrics, query_values
from kgbert.rank_files import RANKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kgbert.intervals import Interval
    from kgbert.ranks import Ranks

METRICS: Final = "metrics.json"
RELATIONS: Final = "relations.tsv"
SEED: Final = 0  # of bootstrap draws, and of drawn negatives


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Hold the figures of one evaluation.

    `headline` are the figures that several runs are averaged over, none as long as some ranks are
    not known, `content` everything for
    `metrics.json`, `text` the tables for a person, and `relations` the lines of a file with the
    figures of each relation.
    """

    protocol: str
    headline: Mapping[str, float]
    content: Mapping[str, Any]
    text: str
    relations: str = ""

    @property
    def complete(self) -> bool:
        """Say whether all that was asked for is known."""
        return bool(self.headline)

    def write(self, folder: Path) -> None:
        """Write `metrics.json`, and `relations.tsv` if there is one, each whole or not at all.

        Raises `RunError` where the folder cannot be written.
        """
        if not self.complete and (folder / RANKS).exists():
            return  # another shard finished it meanwhile, and wrote all of it
        content = {
            "protocol": self.protocol,
            "headline": dict(self.headline),
            **self.content,
        }
        text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        files = {METRICS: text} | ({RELATIONS: self.relations} if self.relations else {})
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, lines in files.items():
                with replacing(folder / name) as file:
                    file.write(lines.encode())
        except OSError as error:
            raise RunError(f"{folder}: cannot be written: {error.strerror}") from None
        except GraphError as error:
            raise RunError(str(error)) from None


def rank_intervals(ranks: Ranks, *, clusters: NDArray[Any]) -> dict[str, Interval]:
    """Return bootstrap intervals of the realistic figures; a cluster is a test triple."""
    values = query_values(ranks.of("realistic"))
    return bootstrap(values, seed=SEED, clusters=clusters)


def plain(report: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Turn a report by group into plain values for JSON."""
    return {
        title: {name: found.to_mapping() for name, found in groups.items()}
        for title, groups in report.items()
    }


def headline_of(found: RankMetrics) -> dict[str, float]:
    """Return the figures that stand for a ranking: realistic ones."""
    return dict(found.realistic)
