"""The thresholds that a run keeps in `thresholds.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from kbert.errors import CheckpointError, RunError
from kbert.nn.checksums import is_there, seal
from kbert.run import write_json
from kgbert.record import read_json
from kgbert.scores import ScoreKind
from kgbert.thresholds import Thresholds

THRESHOLDS: Final = "thresholds.json"


@dataclass(frozen=True, slots=True)
class StoredThresholds:
    """From which score on triples are called true, and what that was chosen on.

    `score` names what is compared (`kgbert.scores`), `triples` counts the labelled dev triples,
    and `labels` says where their labels are from: the data, or negatives that were drawn.
    """

    score: ScoreKind
    triples: int
    labels: Literal["given", "drawn"]
    thresholds: Thresholds

    def write(self, folder: Path) -> None:
        """Write `thresholds.json`; its relations are numbers of `relations.tsv`, from 0."""
        content = {"score": self.score, "triples": self.triples, "labels": self.labels}
        write_json(folder / THRESHOLDS, content | self.thresholds.to_mapping())
        seal(folder, (THRESHOLDS,))

    @classmethod
    def read(cls, folder: Path) -> StoredThresholds | None:
        """Read `thresholds.json`; None where there is none. Raises `RunError` for a broken one."""
        file = folder / THRESHOLDS
        try:
            if not is_there(file):
                return None
            content = read_json(file)
        except CheckpointError as error:
            raise RunError(str(error)) from None
        try:
            found = cls(
                score=content["score"],
                triples=int(content["triples"]),
                labels=content["labels"],
                thresholds=Thresholds.from_mapping(content),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{file}: damaged: {error}") from None
        if found.score not in get_args(ScoreKind):
            raise RunError(f"{file}: damaged: no score {found.score!r}")
        return found
