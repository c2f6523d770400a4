"""What `config.json` says of a model's head: who reads it in transformers, and its labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kbert.errors import CheckpointError
from kbert.nn.encoder import Encoder
from kbert.nn.folder import CONFIG, read_json
from kbert.nn.heads import Classifier, SpanFinder, Tagger
from kbert.nn.pretraining_heads import LanguageModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.nn import Linear

Model = Encoder | Classifier | SpanFinder | Tagger | LanguageModel


def read_labels(folder: str | Path) -> tuple[str, ...]:
    """Read the names of a head's labels, in the order of their ids, from `config.json`.

    Raises `CheckpointError` if the file has no `id2label`, or one that does not count from zero.
    """
    file = Path(folder) / CONFIG
    table = read_json(file).get("id2label")
    if not isinstance(table, dict) or {str(i) for i in range(len(table))} != set(table):
        raise CheckpointError(f"{file}: id2label does not name the labels 0, 1, 2, ...")
    return tuple(str(table[str(i)]) for i in range(len(table)))


def architecture(module: Model) -> str:
    """Name the class of transformers that reads the module's folder.

    Its `BertForPreTraining` knows two relations of sentences; with others, what it can read is
    the model without them.
    """
    if isinstance(module, Encoder):
        return "BertModel"
    if isinstance(module, LanguageModel):
        pairs = module.relation is not None and module.relation.out_features == 2
        return "BertForPreTraining" if pairs else "BertForMaskedLM"
    if isinstance(module, SpanFinder):
        return "BertForQuestionAnswering"
    is_tagger = isinstance(module, Tagger)
    return "BertForTokenClassification" if is_tagger else "BertForSequenceClassification"


def head_entries(module: Model, *, labels: Sequence[str] | None) -> dict[str, object]:
    """Describe a head as transformers does: its dropout and its labels in both directions.

    Raises `ValueError` if `labels` are not one for each output, or there is no output to name.
    """
    head = _labelled(module)
    if head is None:
        if labels is not None:
            raise ValueError("a model without labelled head has no labels")
        return {}
    count = head.out_features
    names = [f"LABEL_{i}" for i in range(count)] if labels is None else list(labels)
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"expected {count} different labels, one an output; received {names}")
    entries: dict[str, object] = {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }
    if isinstance(module, Classifier | Tagger):
        entries["classifier_dropout"] = module.dropout.p
    return entries


def _labelled(module: Model) -> Linear | None:
    """Return the layer whose outputs have names, if there is one."""
    if isinstance(module, Classifier | Tagger):
        return module.classifier
    if isinstance(module, SpanFinder):
        return module.qa_outputs
    return module.relation if isinstance(module, LanguageModel) else None
