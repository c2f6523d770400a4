"""What a model makes of masked tokens, or of next ones, written for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from kbert.nn.pretraining_heads import LanguageModel
    from kbert.pretraining.rows import MicroBatch
    from kbert.pretraining.targets import Labelled
    from kbert.tokenizer import Tokenizer

_AHEAD: Final = {"masked": 0, "causal": 1}  # how far from its place the token is that is named


@torch.no_grad()
def samples(
    network: LanguageModel, batches: Iterable[MicroBatch], *, tokenizer: Tokenizer, most: int
) -> list[str]:
    """Return at most `most` sequences as texts, whose predicted tokens stand in brackets.

    `[cat]` was named rightly; of `[cat: dog]` the text has cat, and the model says dog. Of a
    sequence that is read left to right each token is named, from those before it.
    """
    found: list[str] = []
    device = network.table.device
    network.eval()
    for part in batches:
        if len(found) >= most:
            break
        inputs, targets = part.inputs.to(device), part.targets.to(device)
        hidden = network.encoder(
            inputs.token_ids,
            positions=inputs.positions,
            segments=inputs.segments,
            visibility=inputs.visibility,
        ).hidden.flatten(0, 1)
        told: dict[int, tuple[int, int]] = {}
        for name, ahead in _AHEAD.items():
            wanted: Labelled | None = getattr(targets, name)
            if wanted is None:
                continue
            guesses = network.name_tokens(hidden.index_select(0, wanted.places)).argmax(dim=-1)
            pairs = zip(wanted.labels.tolist(), guesses.tolist(), strict=True)
            told |= dict(zip((wanted.places + ahead).tolist(), pairs, strict=True))
        found += _texts(part, told, tokenizer=tokenizer)
    return found[:most]


def _texts(
    part: MicroBatch, told: dict[int, tuple[int, int]], *, tokenizer: Tokenizer
) -> list[str]:
    """Spell the sequences of a batch, each of which begins with `[CLS]`."""
    lines: list[list[str]] = []
    ids, lengths = part.inputs.token_ids.tolist(), part.inputs.lengths.tolist()
    width = part.inputs.token_ids.shape[1]
    for row, (pieces, length) in enumerate(zip(ids, lengths, strict=True)):
        for column, piece in enumerate(pieces[:length]):
            if piece == tokenizer.cls_id and row * width + column not in told:
                lines.append([])
                continue
            truth, guess = told.get(row * width + column, (piece, piece))
            text = tokenizer.piece(truth)
            if row * width + column in told:
                text = f"[{text}]" if truth == guess else f"[{text}: {tokenizer.piece(guess)}]"
            lines[-1].append(text)
    return [" ".join(line).replace(" ##", "") for line in lines]
