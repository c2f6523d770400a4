"""Write the arrays of a corpus as they grow, and seal them (see `kbert.pretraining.shards`)."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from graphs.compiled.folder import MANIFEST, checksum, data_folder, seal_of
from graphs.compiled.sealing import sync
from kbert.nn.checksums import CHECKSUMS
from kbert.pretraining import manifests
from kbert.pretraining.shards import Counts, fingerprint, pieces_of
from kbert.tokenizer import Tokenizer

_MAX_SMALL = 1 << 16


def dtype_for(vocab_size: int) -> np.dtype[Any]:
    """Return the smallest type of `token_ids` that holds every id of a vocabulary."""
    return np.dtype("<u2" if vocab_size <= _MAX_SMALL else "<i4")


class Encoded(NamedTuple):
    """A run of tokenised sentences.

    `token_ids` (T,) are their pieces, `lengths` (S,) int64 the pieces of each; after as many
    sentences as an entry of `ends` int64 says, a document ends. `dropped` lines had no piece.
    `texts` is UTF-8 in a row with `text_lengths` (S,) int64 bytes; both empty if texts are not
    kept.
    """

    token_ids: NDArray[Any]
    lengths: NDArray[np.int64]
    ends: NDArray[np.int64]
    dropped: int
    texts: bytes
    text_lengths: NDArray[np.int64]


class CorpusWriter:
    """Append runs of sentences to the files of a corpus in a scratch folder.

    Memory does not grow with the corpus. Used in a `with` statement, which closes the files.
    """

    def __init__(self, scratch: Path, *, tokenizer: Tokenizer, keep_text: bool) -> None:
        """Write to `scratch`, which is made."""
        self._scratch, self._tokenizer, self._keep_text = scratch, tokenizer, keep_text
        self._data = scratch / "data"
        self._data.mkdir(parents=True)
        self._stack = ExitStack()
        self._files: dict[str, BinaryIO] = {}
        self._dtypes = {"token_ids": dtype_for(len(tokenizer)), "text": np.dtype("|u1")}
        offsets = ["sentences", "documents", *(["text_offsets"] if keep_text else [])]
        for name in ["token_ids", *offsets, *(["text"] if keep_text else [])]:
            path = self._data / name
            self._files[name] = self._stack.enter_context(path.open("wb"))
        for name in offsets:
            self._dtypes[name] = np.dtype("<i8")
            self._write(name, np.zeros(1, dtype="<i8"))
        self.counts = Counts(0, 0, 0, 0, 0, 0)
        self._documented = self._text_bytes = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files; what becomes of them is the caller's to decide."""
        self._stack.close()

    def add(self, run: Encoded) -> None:
        """Append a run; a document that it leaves open goes on in the next one."""
        was = self.counts
        self._write("token_ids", run.token_ids)
        self._write("sentences", was.tokens + np.cumsum(run.lengths))
        ends = np.unique(was.sentences + run.ends)
        ends = ends[ends > self._documented]  # an empty document is none
        self._write("documents", ends)
        sizes = np.diff(ends, prepend=self._documented)
        self._documented = int(ends[-1]) if len(ends) else self._documented
        if self._keep_text:
            self._files["text"].write(run.texts)
            self._write("text_offsets", self._text_bytes + np.cumsum(run.text_lengths))
            self._text_bytes += len(run.texts)
        self.counts = Counts(
            tokens=was.tokens + len(run.token_ids),
            sentences=was.sentences + len(run.lengths),
            documents=was.documents + len(ends),
            one_sentence=was.one_sentence + int(np.count_nonzero(sizes == 1)),
            dropped=was.dropped + run.dropped,
            unknown=was.unknown
            + int(np.count_nonzero(run.token_ids == self._tokenizer.unknown_id)),
        )

    def seal(self, *, sources: list[dict[str, Any]]) -> Path:
        """Sync every file and write the manifest; return the folder, which is a corpus now."""
        tokenizer = self._tokenizer
        starts = [not piece.startswith("##") for piece in pieces_of(tokenizer)]
        (self._data / "starts_word").write_bytes(np.array(starts, dtype=np.uint8).tobytes())
        tokenizer.save(self._data)
        (self._data / CHECKSUMS).unlink()  # the manifest has them all
        for file in self._files.values():
            file.flush()
        names = ("pad", "unknown", "cls", "sep", "mask")
        special = {name: getattr(tokenizer, f"{name}_id") for name in names}
        about = {
            "vocabulary": {
                "fingerprint": fingerprint(tokenizer),
                "size": len(tokenizer),
                "special": special,
            },
            "counts": self.counts._asdict(),
            "keeps_text": self._keep_text,
            "sources": sources,
            "files": {path.name: self._entry(path) for path in sorted(self._data.iterdir())},
        }
        data = manifests.encode(about)
        (self._scratch / MANIFEST).write_bytes(data)
        for path in (self._scratch / MANIFEST, self._data):
            sync(path)
        self._data.rename(data_folder(self._scratch, seal_of(data)))
        sync(self._scratch)
        return self._scratch

    def _entry(self, path: Path) -> dict[str, Any]:
        sync(path)
        size = path.stat().st_size
        dtype = self._dtypes.get(path.name, np.dtype("|u1"))
        shape = [size // dtype.itemsize]
        return {"dtype": dtype.str, "shape": shape, "bytes": size, "xxh3": checksum(path)}

    def _write(self, name: str, array: NDArray[Any]) -> None:
        self._files[name].write(array.astype(self._dtypes[name], copy=False).tobytes())
