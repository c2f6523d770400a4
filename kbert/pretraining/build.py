"""Tokenise texts once, in one pass and in bounded memory, into a corpus on disk.

Texts are cut into runs of lines by their length alone, so the result is the same bytes whatever
the number of processes. All is written to a scratch folder beside the target, which takes its
place whole at the end; a build that was interrupted leaves nothing, and one that was killed leaves
a hidden folder that the next one removes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from graphs.compiled.folder import checksum
from graphs.compiled.sealing import put
from graphs.progress import Progress
from kbert.errors import DataError, SettingsError
from kbert.pretraining.corpus import (
    DOCUMENT_END,
    Columns,
    Source,
    find_sources,
    named,
    read_lines,
    teller,
)
from kbert.pretraining.parallel import ordered_map
from kbert.pretraining.placing import check_target, scratch_for
from kbert.pretraining.sentences import split_sentences
from kbert.pretraining.shards import Corpus, Counts
from kbert.pretraining.writing import CorpusWriter, Encoded, dtype_for
from kbert.tokenizer import MANY_UNKNOWN, Tokenizer

Lines = Literal["sentence", "paragraph"]
_CHARACTERS: Final = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Turn a run of lines into sentences and pieces; what the worker processes do."""

    tokenizer: Tokenizer
    lines: Lines
    keep_text: bool

    def __call__(self, run: list[str]) -> Encoded:
        """Tokenise a run of lines, with `DOCUMENT_END` where a document ends."""
        ids: list[int] = []
        lengths: list[int] = []
        ends: list[int] = []
        texts: list[bytes] = []
        dropped = 0
        encode = self.tokenizer.encode
        for line in run:
            if line == DOCUMENT_END:
                ends.append(len(lengths))
                continue
            for sentence in split_sentences(line) if self.lines == "paragraph" else (line,):
                pieces = encode(sentence).ids
                if not pieces:
                    dropped += 1
                    continue
                ids += pieces
                lengths.append(len(pieces))
                if self.keep_text:
                    texts.append(sentence.strip().encode())
        return Encoded(
            token_ids=np.array(ids, dtype=dtype_for(len(self.tokenizer))),
            lengths=np.array(lengths, dtype=np.int64),
            ends=np.array(ends, dtype=np.int64),
            dropped=dropped,
            texts=b"".join(texts),
            text_lengths=np.array(list(map(len, texts)), dtype=np.int64),
        )


def build_corpus(
    places: Sequence[str | Path],
    folder: str | Path,
    *,
    tokenizer: Tokenizer,
    lines: Lines = "paragraph",
    columns: Columns = Columns(),  # noqa: B008 (a frozen value)
    keep_text: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    announce: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Corpus:
    """Tokenise files, folders and hub ids into the corpus `folder`, and open it.

    `lines` says what a line of text is: a sentence, as in BERT's own format, or a paragraph, which
    is cut into sentences (`kbert.pretraining.sentences`). `keep_text` keeps the sentences' text
    beside their pieces. With several `workers`, which are spawned, a script must guard its start by
    `if __name__ == "__main__"`. `announce` takes a line that a user should know, `progress` how
    many bytes of the files have been read (of 0, if unknown).

    Memory: some hundred megabytes a process, whatever the size of the corpus. Disk: the result.
    Raises `DataError` for what cannot be read or written, for texts without a sentence, and where
    `folder` is there already, unless it is a corpus and `overwrite` is set.
    """
    announce = announce or _silent
    if workers < 1:
        raise SettingsError(f"workers must be at least 1, was {workers}")
    target = Path(folder)
    check_target(target, overwrite=overwrite)
    sources = find_sources(places, announce=announce)
    encoder = Encoder(tokenizer=tokenizer, lines=lines, keep_text=keep_text)
    with scratch_for(target, announce=announce) as scratch:
        check_target(target, overwrite=overwrite)  # another process may have built it meanwhile
        told = teller(sources, progress or _silent, stage="tokenise")
        stream = read_lines(sources, columns=columns, progress=told)
        with CorpusWriter(scratch / "result", tokenizer=tokenizer, keep_text=keep_text) as writer:
            with closing(ordered_map(encoder, runs(stream), workers=workers)) as encoded:
                for run in encoded:
                    writer.add(run)
            _check(writer.counts, sources, announce=announce)
            result = writer.seal(sources=list(map(_provenance, sources)))
        put(result, target)
    return Corpus.open(target, verify=False)


def runs(lines: Iterable[str], *, characters: int = _CHARACTERS) -> Iterator[list[str]]:
    """Gather lines to runs of at least `characters`, but for the last."""
    run: list[str] = []
    size = 0
    for line in lines:
        run.append(line)
        size += len(line) + 1
        if size >= characters:
            yield run
            run, size = [], 0
    if run:
        yield run


def _check(counts: Counts, sources: Sequence[Source], *, announce: Callable[[str], None]) -> None:
    """Refuse an empty corpus, and say what is odd about another."""
    if not counts.sentences:
        raise DataError(f"{named(sources)}: holds no sentence; is the text in these files?")
    if counts.dropped:
        announce(f"{counts.dropped} lines or sentences without any piece were left out")
    if counts.one_sentence == counts.documents:
        announce(
            f"each of the {counts.documents} documents has one sentence, so no sentence has a next"
            " one; put blank lines between documents alone, or train without sentence relation"
        )
    elif counts.one_sentence:
        announce(f"{counts.one_sentence} of {counts.documents} documents have one sentence")
    share = counts.unknown / counts.tokens
    if share > MANY_UNKNOWN:
        announce(f"{share:.0%} of the tokens are [UNK]; is the vocabulary for this language?")


def _provenance(source: Source) -> dict[str, Any]:
    if source.path is None:
        return {"name": source.name}
    size = source.path.stat().st_size
    return {"name": source.name, "bytes": size, "xxh3": checksum(source.path)}


def _silent(_: object) -> None:
    """Say nothing."""
