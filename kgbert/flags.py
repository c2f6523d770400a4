"""What each setting of `kgbert.train` is for, in groups; no torch: `--help` is instant."""

from __future__ import annotations

import argparse
from typing import Final

from kbert.flags import HELP as TRAIN_HELP
from kbert.flags import STOPPING, add_settings
from kgbert.settings import KnowledgeTrainSettings

_TRAINING, _ENCODER, _MACHINE = (TRAIN_HELP[name] for name in ("training", "encoder", "machine"))

HELP: Final[dict[str, dict[str, str]]] = {
    "data": {
        "dataset": "a KG-BERT folder, a graph (file, compiled folder or catalogued name), a folder"
        " of $KBERT_DATA/kgc by its name, or the packaged sample",
        "task": "is a triple true, what completes it, or which relation do two entities have;"
        " the first two differ in how the best epoch is chosen",
        "texts": "what is read of entities",
        "on_missing": "an entity or relation without text: stop, read its id, or leave its triples"
        " out; counted",
        "languages": "languages of names in an RDF graph, the preferred first (default: any)",
        "valid_share": "share of a graph that becomes dev; a folder has its own",
        "test_share": "share of a graph that becomes test; a folder has its own",
        "split_seed": "seed of the division of a graph, and of --train-share",
        "train_share": "share of the training triples that is learnt, drawn by chance",
        "max_length": "longest sequence in tokens; the longest of its texts are cut",
    },
    "negatives": {
        "negatives": "false triples that are drawn for each true one, others in each epoch",
        "negative_method": "who is drawn: any entity (uniform), the same with a side by relation"
        " (bernoulli), or entities seen on that side of the relation (typed)",
        "negative_sides": "what is replaced: head and tail in turn, one of them for all negatives"
        " of a triple, or always the same",
        "negative_known": "what no negative may state: train, also dev, or also test; small graphs"
        " otherwise learn held-out triples as false, but with `all` test is looked at",
    },
    "the original's choices": {
        "original": "choose as yao8839836/kg-bert: --negative-sides one --negative-known train"
        " --static-negatives --truncation original --score logit1 --ties optimistic --keep last",
        "static_negatives": "the same negatives in every epoch",
        "truncation": "which text is cut: the longest, or as the original does",
        "score": "what ranks are by: the difference of the two logits, their probability, or the"
        " logit of true alone",
        "ties": "how equal scores count in validation",
        "keep": "which epoch's weights are kept, by validation",
    },
    "validation": {
        "validation_triples": "most dev triples that are measured after an epoch (0: none)",
        "validation_candidates": "candidates that are drawn for each side of a dev triple, where"
        " links are predicted",
    },
    "encoder": {
        "init": _ENCODER["init"],
        "vocab": "vocab.txt for an encoder from scratch (default: learnt from the training"
        " triples' texts)",
        "cased": _ENCODER["cased"],
        "layers": _ENCODER["layers"],
        "width": _ENCODER["width"],
        "heads": _ENCODER["heads"],
        "feed_forward": _ENCODER["feed_forward"],
        "dropout": "dropout of an encoder from scratch",
    },
    "training": {
        "epochs": "passes over the training data; of the sample, from scratch, 100",
        "batch_size": "triples of a step, true and false",
        "learning_rate": "peak rate (default: 0.0003 from scratch, 0.00005 with --init)",
        "schedule": _TRAINING["schedule"],
        "warmup": _TRAINING["warmup"],
        "weight_decay": _TRAINING["weight_decay"],
        "clip": _TRAINING["clip"],
        "seed": "seed of initialisation, negatives, batch order and dropout",
    },
    "machine": {
        "accelerator": _MACHINE["accelerator"],
        "precision": _MACHINE["precision"],
        "workers": _MACHINE["workers"],
        "output": "run folder (default: runs/DATASET-TASK-seedSEED)",
        "overwrite": _MACHINE["overwrite"],
    },
    STOPPING: TRAIN_HELP[STOPPING],
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags of `kgbert.train`."""
    add_settings(parser, KnowledgeTrainSettings, HELP)
