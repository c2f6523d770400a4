"""Settings of a graph and of its facts, which fine-tuning and pre-training share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class KnowledgeSettings:
    """Which graph there is, and which of its facts a text gets; `kbert.flags` explains each."""

    kg: str = "none"
    max_facts: int = 2
    max_branches: int | None = None
    max_fact_share: float = 1.0
    max_per_relation: int | None = None
    repeat_mentions: bool = True
    fact_dropout: float = 0.0
    selection: Literal["first", "rare", "central", "similar"] = "first"
    allow_relations: tuple[str, ...] = ()
    deny_relations: tuple[str, ...] = ()
    relation_text: bool = True
    min_name_length: int = 2
    stop_names: tuple[str, ...] = ()
    fold_case: bool = False
    nfkc: bool = False
    kg_languages: tuple[str, ...] = ()
    kg_on_error: Literal["fail", "skip"] = "fail"


KNOWLEDGE_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "max_facts": (0, 1000),
    "max_branches": (0, 10000),
    "max_fact_share": (0.0, 1.0),
    "max_per_relation": (1, 1000),
    "fact_dropout": (0.0, 1.0),
    "min_name_length": (1, 1000),
}
