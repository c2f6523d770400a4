"""What each setting of `kbert.pretrain` is for, in groups; no torch: `--help` is instant."""

from __future__ import annotations

import argparse
from typing import Final

from kbert.flags import HELP as TRAIN_HELP
from kbert.flags import STOPPING, add_settings
from kbert.pretraining.settings import PretrainSettings

HELP: Final[dict[str, dict[str, str]]] = {
    "data": {
        "corpus": "folder that python -m kbert.corpus build made",
        "texts": "instead: texts, tokenised for this run alone: files (.txt, .jsonl, each also .gz"
        " or .zst; .parquet), folders of them, or ids of data sets on the hub",
        "lines": "what a line of --texts is; paragraphs are cut into sentences",
        "text_column": "column of --texts that are tables",
        "vocab": "vocab.txt for --texts (default: learnt from them)",
        "vocab_size": "pieces of a learnt vocabulary",
        "cased": "keep upper case (for --vocab or a learnt vocabulary)",
        "held_out": "share of the documents that are kept for validation (0: none)",
        "relation": "what the second segment is: next or random (nsp), in order or swapped (sop),"
        " next, previous or random (nsp3), or no second segment",
        "short_probability": "share of the pairs that may be short",
        "google_quirks": "make pairs and masks as google-research/bert does, oddities included",
        "packing": "several sequences in a row, kept apart; else batches of like length",
    },
    "knowledge": {
        **TRAIN_HELP["knowledge"],
        "max_branches": "facts injected per sentence of the corpus (default: as many as fit)",
        "max_fact_share": "largest share of a sentence's tokens that facts take, 0 to 1",
        "mask_where": "mask the text (trunk), or whole tails of facts, which teaches the graph"
        " (tails; where a sequence has no facts, its text), or the two alike (both)",
    },
    "corruption": {
        "unit": "what is masked as one: pieces, whole words, or all of an entity's name, where the"
        " graph knows one, and else words",
        "spans": "units of a masked span: one, SpanBERT's geometric, ALBERT's 1/n, or Poisson",
        "mask_rate": "share of the tokens that are predicted",
        "max_predictions": "most predicted tokens of a sequence (default: any number)",
        "mask_share": "share of the predicted tokens that are replaced by [MASK]",
        "random_share": "share of them that are replaced by a random piece; the rest stays",
        "replace_per": "what draws its replacement as one",
        "dupe_factor": "static masks: texts return with the same pairs and masks after so many"
        " epochs (default: others in each epoch)",
    },
    "objectives": {
        "masked_weight": "weight of the masked tokens' loss",
        "relation_weight": "weight of the sentence relation's loss",
        "boundary_weight": "weight of SpanBERT's span-boundary loss (0: no such head)",
        "causal_share": "share of the sequences that are read left to right and predict each next"
        " token, where the others are masked (0: BERT, 1: GPT)",
        "causal_weight": "weight of the next tokens' loss",
    },
    "encoder": {
        "init": "model to go on with: a folder, a hub id, or none (from scratch)",
        "layers": "layers of an encoder from scratch",
        "width": "width of an encoder from scratch",
        "heads": "attention heads of an encoder from scratch",
        "feed_forward": "feed-forward width of an encoder from scratch",
        "dropout": "dropout of an encoder from scratch",
    },
    "training": {
        "phases": "phases as STEPSxLENGTH, one after the other: optimiser steps and longest"
        " sequence, such as 900000x128 100000x512",
        "batch_tokens": "tokens per micro-batch and device, padding included",
        "accumulate": "micro-batches per step",
        "learning_rate": "peak rate",
        "warmup": "share of the steps with rising rate",
        "schedule": "how the rate then falls to 0",
        "weight_decay": "AdamW's weight decay (not on biases and layer norms)",
        "beta2": "AdamW's beta2",
        "epsilon": "AdamW's epsilon",
        "clip": "largest norm of the gradient (0: no limit)",
        "seed": "seed of initialisation, pairs, masks, batch order and dropout",
    },
    "reports": {
        "log_every": "steps between two lines of the log",
        "validate_every": "steps between two validations, after each of which weights are kept",
        "validation_batches": "most batches of a validation, over all devices",
        "samples": "held-out sequences whose predictions are shown at the end",
        "tensorboard": "write the curves for TensorBoard as well (needs tensorboard)",
    },
    "machine": {
        "accelerator": "where to train; auto takes a GPU if there is one",
        "devices": "GPUs, or processes with --accelerator cpu",
        "strategy": "several devices: each holds the model (ddp), or its share of it (fsdp)",
        "precision": "bf16: matrix products in bfloat16, weights in 32 bits",
        "compile": "compile the encoder with torch.compile",
        "checkpoint_layers": "compute each layer again for its gradients: less memory, more time",
        "peak_tflops": "peak of one device in TFLOP/s, for the share of it that is used"
        " (default: known for some GPUs with bf16)",
        "workers": "processes that prepare batches",
        "output": "run folder (default: runs/pretrain-CORPUS-seedSEED)",
        "overwrite": "replace an existing run folder",
    },
    STOPPING: TRAIN_HELP[STOPPING],
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags of `kbert.pretrain`."""
    add_settings(parser, PretrainSettings, HELP)
