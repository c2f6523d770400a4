"""What a model makes of masked tokens, or of next ones, written for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from kbert.nn.pretraining_heads import LanguageModel
    from kbert.pretraining.rows import MicroBatch
    from kbert.pretraining.targets import Labelled
    from kbert.tokenizer import Tokenizer

_AHEAD: Final = {"masked": 0, "causal": 1}  # how far from its place the token is that is named
_INSIDE: Final = re.compile(r"(?<!:) ##")  # joins pieces of a word, but not a guess to the truth


@torch.no_grad()
def samples(
    network: LanguageModel, batches: Iterable[MicroBatch], *, tokenizer: Tokenizer, most: int
) -> list[str]:
    """Return at most `most` sequences as texts, whose predicted tokens stand in brackets.

    `[cat]` was named rightly; of `[cat: dog]` the text has cat, and the model says dog. Of a
    sequence that is read left to right each token is named, from those before it. A mention is
    followed by its facts, each in ⟨ ⟩.
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
    """Spell the sequences of a batch, each without its `[CLS]`."""
    inputs, lines = part.inputs, []
    width = inputs.token_ids.shape[1]
    seen = inputs.visibility
    columns = zip(
        inputs.token_ids.tolist(), seen.document.tolist(), seen.trunk.tolist(),
        seen.enter.tolist(), seen.leave.tolist(), inputs.lengths.tolist(), strict=True,
    )  # fmt: skip
    for row, (ids, documents, trunk, enter, leave, length) in enumerate(columns):
        texts = []
        for column, piece in enumerate(ids[:length]):
            truth, guess = told.get(row * width + column, (piece, piece))
            text = tokenizer.piece(truth)
            if row * width + column in told:
                text = f"[{text}]" if truth == guess else f"[{text}: {tokenizer.piece(guess)}]"
            texts.append(text)
        for number in dict.fromkeys(documents[:length]):
            own = [c for c in range(length) if documents[c] == number]
            facts = _facts([c for c in own if not trunk[c]], enter, texts)
            words = []
            ahead = [c for c in own if trunk[c]]
            for column, after in zip_longest(ahead, ahead[1:]):
                words.append(texts[column])
                if after is None or enter[after] != enter[column]:  # where the mention ends
                    below = range(enter[column] + 1, leave[column])
                    words += [facts[node] for node in below if node in facts]
            lines.append(_INSIDE.sub("", " ".join(words[1:])))
    return lines


def _facts(columns: Sequence[int], nodes: Sequence[int], texts: Sequence[str]) -> dict[int, str]:
    """Spell each fact, by its node."""
    words: dict[int, list[str]] = {}
    for column in columns:
        words.setdefault(nodes[column], []).append(texts[column])
    return {node: f"⟨{' '.join(own)}⟩" for node, own in words.items()}
