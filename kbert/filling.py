"""Masked tokens named by a language model: `load_filler(folder).fill(["北京是[MASK]国的首都"])`.

`[MASK]` in a text is the placeholder, here and nowhere else; every other special token that is
typed stays the characters it is made of. Several masks of a text are answered independently, each
in sight of the others as masks, as BERT was trained.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from graphs import Triple
from kbert.batch import batches
from kbert.errors import CheckpointError, DataError, RunError
from kbert.nn.checkpoint import load_language_model, resolve
from kbert.pretrained import make_plain_injector

if TYPE_CHECKING:
    from torch import Tensor

    from graphs import TripleStore
    from kbert.inject import Injector
    from kbert.nn.pretraining_heads import LanguageModel
    from kbert.tree import SentenceTree

_MASK: Final = re.compile(re.escape("[MASK]"))
_CHUNK: Final = 1024  # texts that are batched together by length


class Candidate(NamedTuple):
    """A piece of the vocabulary for a masked token, and how probable the model finds it."""

    piece: str
    probability: float


@dataclass(frozen=True, slots=True)
class Filling:
    """A masked token: its half-open span in the text, and its candidates, the best first."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a model says of one text.

    `facts` are the triples that were injected, `omitted` counts those that did not fit, `cut`
    tokens of the text that were too many to be read.
    """

    text: str
    fillings: tuple[Filling, ...]
    facts: tuple[Triple, ...]
    omitted: int
    cut: int


class Filler:
    """A language model with its tokeniser and its graph."""

    def __init__(self, model: LanguageModel, inject: Injector) -> None:
        """Bind the parts; `load_filler` does it from a folder."""
        self.model = model.eval()
        self.inject = inject

    def fill(
        self,
        texts: Sequence[str],
        *,
        top_k: int = 5,
        places: Sequence[str] | None = None,
        batch_tokens: int = 8192,
    ) -> list[Filled]:
        """Name every masked token of each text, in input order, with its `top_k` best pieces.

        `places` say in errors where each text comes from (default: `text 1`, …). Probabilities
        are those among all pieces of the vocabulary.

        Raises `DataError` for a text without `[MASK]`, or one so long that a `[MASK]` is cut off;
        `RunError` for weights that diverged; `TypeError` for one text instead of a list;
        `ValueError` if `top_k` is less than 1.
        """
        if isinstance(texts, str):
            raise TypeError("fill takes a list of texts, not one text")
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, was {top_k}")
        filled: list[Filled] = []
        for start in range(0, len(texts), _CHUNK):
            trees = [
                self._tree(texts[n], place=f"text {n + 1}" if places is None else places[n])
                for n in range(start, min(start + _CHUNK, len(texts)))
            ]
            filled += self._answer(trees, top_k=top_k, batch_tokens=batch_tokens)
        return filled

    def _tree(self, text: str, *, place: str) -> SentenceTree:
        masks = [match.span() for match in _MASK.finditer(text)]
        if not masks:
            raise DataError(f"{place}: there is no [MASK] in {text[:40]!r}")
        try:
            tree = self.inject(text, masks=masks)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
        read = len(self._masked(tree))
        if read < len(masks):
            raise DataError(
                f"{place}: the text is too long: of {len(masks)} [MASK] only {read} are among the"
                f" {self.inject.max_length} tokens that are read"
            )
        return tree

    def _masked(self, tree: SentenceTree) -> list[int]:
        """Return which tokens of a tree are masked; no text of a sentence or fact becomes one."""
        mask_id = self.inject.tokenizer.mask_id
        return [place for place, number in enumerate(tree.token_ids) if number == mask_id]

    @torch.inference_mode()
    def _answer(
        self, trees: Sequence[SentenceTree], *, top_k: int, batch_tokens: int
    ) -> list[Filled]:
        tokenizer, encoder = self.inject.tokenizer, self.model.encoder
        found: dict[int, Filled] = {}
        for examples, batch in batches(
            trees, pad_id=tokenizer.pad_id, max_tokens=batch_tokens, device=self.model.table.device
        ):
            hidden = encoder(
                batch.token_ids,
                positions=batch.positions,
                segments=batch.segments,
                visibility=batch.visibility,
            ).hidden
            logits = self.model.name_tokens(hidden[batch.token_ids == tokenizer.mask_id]).float()
            if not bool(logits.isfinite().all()):
                raise RunError("the model's answers are no numbers (NaN): its training diverged")
            answers = self._candidates(logits, top_k=top_k)
            for example in examples:
                found[example] = self._filled(trees[example], answers)
        return [found[example] for example in range(len(trees))]

    def _candidates(self, logits: Tensor, *, top_k: int) -> Iterator[tuple[Candidate, ...]]:
        """Yield the best pieces of each masked token from logits (K, V).

        Rows of the table beyond the vocabulary, which some models have, have no piece.
        """
        tokenizer = self.inject.tokenizer
        shares = logits[:, : len(tokenizer)].softmax(dim=-1).cpu()
        best = shares.topk(min(top_k, len(tokenizer)), dim=-1)
        for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True):
            yield tuple(map(Candidate, map(tokenizer.piece, ids), values))

    def _filled(self, tree: SentenceTree, answers: Iterator[tuple[Candidate, ...]]) -> Filled:
        places = self._masked(tree)
        return Filled(
            text=tree.text,
            fillings=tuple(Filling(*tree.offsets[place], next(answers)) for place in places),
            facts=tuple(
                Triple(node.entity, *branch.fact) for node in tree.nodes for branch in node.branches
            ),
            omitted=tree.omitted,
            cut=tree.cut,
        )


def load_filler(
    source: str | os.PathLike[str],
    *,
    kg: str | TripleStore | None = None,
    device: str = "cpu",
    announce: Callable[[str], None] | None = None,
) -> Filler:
    """Load a masked language model from a folder or a hub id.

    It reads up to 512 tokens, with two facts a mention from the graph `kg` if that is given.
    Raises `CheckpointError` if there is no such model, or it has no head that names tokens, and
    what `graphs.load` raises for `kg`.
    """
    folder = resolve(source)
    try:
        model = load_language_model(folder)
    except CheckpointError as error:
        if any(name.startswith("cls.predictions.") for name in error.missing):
            raise CheckpointError(
                f"{os.fspath(source)}: has no head that names tokens; give the folder of a masked"
                " language model"
            ) from None
        raise
    inject = make_plain_injector(folder, model.encoder.config, kg=kg, announce=announce)
    return Filler(model.to(device), inject)
