"""The command line of `kbert.train`: one flag a setting, in groups, with help.

Kept apart from the settings themselves so that those stay readable. No torch: `--help` is instant.
"""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, Final, Literal

from kbert.settings import TrainSettings, Value, flag

STOPPING: Final = "stopping and going on (see --resume)"
HELP: Final[dict[str, dict[str, str]]] = {
    "knowledge": {
        "kg": "knowledge graph: a catalogued name (cn_dbpedia, hownet, medical, none), a file of"
        " triples (.spo, .tsv, .csv), an RDF file (.nt, .nq, .ttl, .rdf, .jsonld, ...) or a folder"
        " compiled with python -m graphs build",
        "max_facts": "facts injected per mention",
        "max_branches": "facts injected per sentence (default: as many as fit)",
        "max_fact_share": "largest share of a sequence's tokens that facts take, 0 to 1",
        "max_per_relation": "facts of one relation injected per mention (default: any number)",
        "repeat_mentions": "facts wherever an entity is named, rather than the first time alone",
        "fact_dropout": "share of the facts that are left out in training, others in each epoch",
        "selection": "which facts of a mention come first: those first in the source, said of few"
        " entities (rare), about the best connected tails (central), or most like the text"
        " (similar)",
        "allow_relations": "inject only these relations",
        "deny_relations": "never inject these relations",
        "relation_text": "a branch reads relation and tail, rather than the tail alone",
        "min_name_length": "shortest entity name that is looked for, in characters",
        "stop_names": "entity names that are not looked for",
        "fold_case": "find names in any case",
        "nfkc": "find names in any Unicode compatibility form (full-width letters, …)",
        "kg_languages": "languages of names in an RDF graph, the preferred first (default: any)",
        "kg_on_error": "a bad line of the graph: stop, or skip and count it",
    },
    "data": {
        "data": "folder with train/dev/test files, one file, a hub id, or the packaged sample",
        "data_config": "configuration name of a hub data set",
        "task": "what the labels are about",
        "text_column": "column of the text; text, sentence, tokens … if that is absent",
        "pair_column": "column of a pair's second text; sentence2 … if that is absent",
        "label_column": "column of the label; labels, tags … if that is absent",
        "max_length": "longest sequence in tokens, facts included",
    },
    "questions and answers": {
        "dev_data": "SQuAD JSON of the dev set, where --data is one file (default: no dev set)",
        "test_data": "SQuAD JSON of the test set, where --data is one file (default: no test set)",
        "null_answers": "questions may have no answer in their text, as in SQuAD 2.0",
        "null_threshold": "no answer is given if its score exceeds the best span's by more",
        "answer_units": "how answers are compared: by words, as SQuAD does, or by characters, as"
        " CMRC does for Chinese",
        "window": "longest question with a window of its text, in tokens without facts (default:"
        " --max-length, which leaves facts the room that short texts leave)",
        "stride": "tokens from the start of a window to that of the next one",
        "max_question": "longest question in tokens; the rest is cut off",
        "max_answer": "longest answer in tokens",
        "best_answers": "spans of each window and question that are kept",
    },
    "encoder": {
        "init": "pre-trained encoder: a folder, a hub id, or none (a small one from scratch)",
        "vocab": "vocab.txt for an encoder from scratch (default: learnt from the training text)",
        "cased": "keep upper case (for --vocab or a learnt vocabulary)",
        "layers": "layers of an encoder from scratch",
        "width": "width of an encoder from scratch",
        "heads": "attention heads of an encoder from scratch",
        "feed_forward": "feed-forward width of an encoder from scratch",
        "dropout": "dropout of an encoder from scratch and of the task's head",
    },
    "training": {
        "epochs": "passes over the training data",
        "batch_tokens": "tokens per batch and device, padding included",
        "learning_rate": "peak rate (default: 0.001 from scratch, 0.00005 with --init)",
        "schedule": "how the rate goes on after its peak: to 0 in a line (linear) or half a cosine"
        " (cosine), from 1/32 to 1/32 of it in two lines (slanted), or not at all (constant)",
        "warmup": "share of the steps with rising rate",
        "layer_decay": "a layer's rate as a share of that of the layer above, from the head down",
        "freeze_layers": "do not train the embeddings and this many layers above them (default:"
        " train all)",
        "unfreeze_epochs": "train the head alone for this many epochs, then one layer more, from"
        " the top, after as many again (default: all from the start)",
        "weight_decay": "AdamW's weight decay (not on biases and layer norms)",
        "clip": "largest norm of the gradient (0: no limit)",
        "seed": "seed of initialisation, batch order and dropout",
    },
    "machine": {
        "accelerator": "where to train; auto takes a GPU if there is one",
        "devices": "GPUs, or processes with --accelerator cpu (DDP when more than one)",
        "precision": "bf16: matrix products in bfloat16, weights in 32 bits",
        "workers": "processes that prepare batches",
        "output": "run folder (default: runs/DATA-KG-seedSEED)",
        "overwrite": "replace an existing run folder",
    },
    STOPPING: {
        "checkpoint_steps": "steps between two checkpoints, which --resume goes on from (0: by"
        " minutes alone)",
        "checkpoint_minutes": "minutes between two checkpoints (0: by steps alone); a run that is"
        " stopped by Ctrl-C or SIGTERM leaves one as well",
        "time_limit": "minutes after which the run stops with a checkpoint, counted anew by each"
        " --resume (default: none)",
    },
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags of `kbert.train`."""
    add_settings(parser, TrainSettings, HELP)


def add_settings(
    parser: argparse.ArgumentParser, settings: type[Any], texts_of: Mapping[str, Mapping[str, str]]
) -> None:
    """Give a parser one flag a setting; flags that are not used leave no trace in the result.

    `settings` is a dataclass, `texts_of` a help text for each of its fields, in titled groups.
    """
    hints = typing.get_type_hints(settings)
    fields = {field.name: field for field in dataclasses.fields(settings)}
    for title, texts in texts_of.items():
        group = parser.add_argument_group(title)
        for name, text in texts.items():
            options = _options(Value(name, hints[name]))
            group.add_argument(flag(name), help=_help(text, fields[name].default), **options)


def _options(value: Value) -> dict[str, Any]:
    common: dict[str, Any] = {"default": argparse.SUPPRESS}
    if value.kind is bool:
        return common | {"action": argparse.BooleanOptionalAction}
    if typing.get_origin(value.kind) is Literal:
        return common | {"choices": typing.get_args(value.kind)}
    if typing.get_origin(value.kind) is tuple:
        return common | {"nargs": "+", "metavar": "NAME"}
    return common | {"type": value.kind, "metavar": value.kind.__name__.upper()}


def _help(text: str, default: object) -> str:
    if default in (None, ()) or default is False:
        return text
    return f"{text} (default: {'yes' if default is True else default})"
