"""Open a corpus that was tokenised: arrays mapped into memory, a manifest, a checksum of each.

    manifest.json        what the corpus is, and of every file its size and checksum
    data-CHECKSUM/       the files; named after the manifest's checksum
        token_ids        (T,) pieces of all sentences in a row, without special tokens
        sentences        (S + 1,) where each sentence begins in `token_ids`, and the last one ends
        documents        (D + 1,) the same of documents in sentences
        starts_word      (V,) 1 for a piece that begins a word
        text, text_offsets    the sentences in UTF-8, if they are kept, and where each begins
        vocab.txt, tokenizer.json, tokenizer_config.json    what gave the pieces

Arrays are little-endian, without a header; the layout is that of compiled graphs
(`graphs.compiled`), whose sealing is used. How it is written stands in
`kbert.pretraining.writing`.
"""

from __future__ import annotations

import functools
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphs.compiled.folder import (
    MANIFEST,
    Version,
    checksum_of,
    data_folder,
    open_map,
    read_manifest,
    seal_of,
)
from graphs.errors import GraphError
from kbert.errors import DataError
from kbert.pretraining import manifests

if TYPE_CHECKING:
    from kbert.tokenizer import Tokenizer

_EMPTY: Final = np.zeros(1, dtype=np.int64)


class SpecialIds(NamedTuple):
    """The ids that are placed by the framework and never stand in `token_ids`, but `unknown`."""

    pad: int
    unknown: int
    cls: int
    sep: int
    mask: int


class Counts(NamedTuple):
    """How much there is: `dropped` lines had no piece, `unknown` tokens are [UNK]."""

    tokens: int
    sentences: int
    documents: int
    one_sentence: int
    dropped: int
    unknown: int


class Corpus:
    """A tokenised corpus: T tokens in S sentences in D documents, none of them empty.

    Sentence s is `token_ids[sentences[s]:sentences[s + 1]]`, document d has the sentences from
    `documents[d]` to `documents[d + 1]`. The arrays are read-only. Pickles as its path.
    """

    def __init__(
        self, path: Path, *, about: dict[str, Any], seal: str, arrays: dict[str, NDArray[Any]]
    ) -> None:
        """Take what has been checked; users call `open`."""
        self.path = path
        self.seal = seal
        self.token_ids: NDArray[np.uint16] | NDArray[np.int32] = arrays["token_ids"]
        self.sentences: NDArray[np.int64] = arrays["sentences"]
        self.documents: NDArray[np.int64] = arrays["documents"]
        self.counts = Counts(**about["counts"])
        self.sources: list[dict[str, Any]] = about["sources"]
        self.fingerprint: str = about["vocabulary"]["fingerprint"]
        self.vocab_size: int = about["vocabulary"]["size"]
        self.special = SpecialIds(**about["vocabulary"]["special"])
        self.keeps_text: bool = about["keeps_text"]
        self._starts_word = arrays["starts_word"].view(np.bool_)
        self._text = arrays.get("text", _EMPTY)
        self._text_offsets = arrays.get("text_offsets", _EMPTY)

    @classmethod
    def open(
        cls, folder: str | Path, *, tokenizer: Tokenizer | None = None, verify: bool = True
    ) -> Corpus:
        """Map the corpus in `folder`; its pieces must be those of `tokenizer`, if one is given.

        With `verify` every file is read once and compared with its checksum; without, only its
        size. Raises `DataError` where there is no corpus, one of another version or vocabulary, or
        a damaged one.
        """
        corpus = cls._open_as(Path(folder).absolute(), verify=verify)
        if tokenizer is not None:
            found = fingerprint(tokenizer)
            if found != corpus.fingerprint:
                sizes = f"{corpus.vocab_size} pieces, not {len(tokenizer)}"
                if corpus.vocab_size == len(tokenizer):
                    sizes = "as many pieces, but others, or of another case"
                raise DataError(
                    f"was made with another vocabulary ({sizes}); build the corpus again with the"
                    f" wanted one as --vocab, or take the one in {corpus.data}",
                    file=corpus.path,
                )
        return corpus

    @classmethod
    def _open_as(cls, path: Path, *, verify: bool, seal: str | None = None) -> Corpus:
        """Open the corpus that is there, whatever its `seal`, or that one alone."""
        while True:
            version = _version(path)
            try:
                return cls._open(path, version.data, verify=verify, seal=seal)
            except DataError:
                # Built anew meanwhile: this manifest's data is gone, and another one's is there.
                if _version(path) == version:
                    raise

    @classmethod
    def _open(cls, path: Path, data: bytes, *, verify: bool, seal: str | None) -> Corpus:
        about, found = manifests.parse(data, file=path / MANIFEST), seal_of(data)
        if seal is not None and seal != found:
            raise DataError("was built anew since it was opened; open it again", file=path)
        place = data_folder(path, found)
        if not place.is_dir():  # a manifest that was changed by one bit has another seal
            raise DataError("damaged; build the corpus again", file=path / MANIFEST)
        arrays = {
            name: _map(place / name, entry, verify=verify) for name, entry in about["files"].items()
        }
        manifests.check_shapes(about, arrays, file=path / MANIFEST)
        return cls(path, about=about, seal=found, arrays=arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the path; the same corpus must still be there. It is not read again."""
        return functools.partial(Corpus._open_as, verify=False, seal=self.seal), (self.path,)

    @property
    def data(self) -> Path:
        """Return the folder of the arrays and of the vocabulary."""
        return data_folder(self.path, self.seal)

    def tokenizer(self) -> Tokenizer:
        """Return the tokeniser that gave the pieces."""
        from kbert.tokenizer import Tokenizer

        return Tokenizer.from_json(self.data / "tokenizer.json")

    def word_starts(self, token_ids: NDArray[Any]) -> NDArray[np.bool_]:
        """Say of each id whether its piece begins a word; of the shape of `token_ids`."""
        starts: NDArray[np.bool_] = self._starts_word[token_ids]
        return starts

    def text(self, sentence: int) -> str:
        """Return the text of a sentence, if texts were kept; raises `DataError`, `IndexError`."""
        if not self.keeps_text:
            raise DataError("holds no texts; build the corpus with --keep-text", file=self.path)
        if not 0 <= sentence < self.counts.sentences:
            raise IndexError(f"sentence {sentence} of {self.counts.sentences}")
        start, end = self._text_offsets[sentence : sentence + 2]
        return self._text[start:end].tobytes().decode("utf-8")


def fingerprint(tokenizer: Tokenizer) -> str:
    """Return what tells a vocabulary: a hash of its pieces in order, and of whether it keeps case.

    Raises `DataError` for a vocabulary with ids that no piece has.
    """
    from hashlib import sha256

    state = sha256(b"lower\n" if tokenizer.lowercase else b"cased\n")
    state.update("\n".join(pieces_of(tokenizer)).encode("utf-8", "surrogatepass"))
    return state.hexdigest()[:32]


def pieces_of(tokenizer: Tokenizer) -> list[str]:
    """Return all pieces in the order of their ids. Raises `DataError` where an id has no piece."""
    try:
        return list(map(tokenizer.piece, range(len(tokenizer))))
    except ValueError as error:
        raise DataError(f"the vocabulary has a gap: {error}") from None


def _version(path: Path) -> Version:
    try:
        return read_manifest(path)
    except GraphError:
        raise DataError(f"is no corpus: it has no {MANIFEST}", file=path) from None


def _map(file: Path, about: dict[str, Any], *, verify: bool) -> NDArray[Any]:
    """Map a file after comparing its size, and with `verify` its checksum."""
    try:
        size = file.stat().st_size
        if size != about["bytes"]:
            raise _damaged(file, f"{size} bytes instead of {about['bytes']}")
        data: mmap | bytes = open_map(file) if size else b""
    except OSError as error:
        raise _damaged(file, error.strerror or str(error)) from None
    if verify and checksum_of(data) != about["xxh3"]:
        raise _damaged(file, "its checksum is wrong")
    return np.frombuffer(data, dtype=about["dtype"]).reshape(about["shape"])


def _damaged(file: Path, what: str) -> DataError:
    return DataError(f"damaged ({what}); build the corpus again", file=file)
