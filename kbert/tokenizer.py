"""WordPiece with character offsets, through the `tokenizers` library.

Text never becomes a special token: the library is given no added tokens, so `[SEP]` in a sentence
or in an entity's name is punctuation and letters, and `[CLS]`, `[SEP]` and `[PAD]` exist only as
ids that this framework places itself.

BERT's pre-tokeniser sets every Chinese character and every punctuation mark apart, so a text may
be cut there without changing its pieces. `encode` uses this: each distinct fragment between such
cuts is tokenised by the library once and remembered. Not a tokeniser of its own: it holds no rule
of WordPiece, and for files with another pre-tokeniser the whole text goes to the library.
"""

from __future__ import annotations

import functools
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tokenizers import Tokenizer as Library
from tokenizers import models

from kbert.errors import CheckpointError, DataError
from kbert.vocabulary import (
    SPECIALS,
    bert_library,
    learn_vocabulary,
    read_text,
    read_vocabulary,
)

MANY_UNKNOWN: Final = 0.05
"""Share of `[UNK]` among the pieces of texts above which their vocabulary is remarked upon."""
_REMEMBERED: Final = 1 << 17  # fragments kept; a bound, so that endless text cannot fill memory


class Encoding(NamedTuple):
    """Pieces of one text: ids and half-open character spans, one entry a piece."""

    ids: list[int]
    starts: list[int]
    ends: list[int]


class Tokenizer:
    """WordPiece pieces and their character offsets; build it with one of the class methods."""

    def __init__(self, specification: str, *, lowercase: bool) -> None:
        """Take the JSON of a `tokenizers` WordPiece tokeniser without added tokens."""
        self._specification = specification
        self._library = Library.from_str(specification)
        self.lowercase = lowercase
        ids = {piece: self._library.token_to_id(piece) for piece in SPECIALS}
        missing = [piece for piece, number in ids.items() if number is None]
        if missing:
            raise CheckpointError(f"the vocabulary lacks the special tokens {' '.join(missing)}")
        numbers = [number for number in ids.values() if number is not None]
        self.pad_id, self.unknown_id, self.cls_id, self.sep_id, self.mask_id = numbers
        self._placed = frozenset(numbers) - {self.unknown_id}
        self._fragments = _fragments() if _sets_characters_apart(specification) else None
        self._characters = _Characters(self._library)
        self._words: dict[str, Encoding] = {}

    @classmethod
    def from_vocab(cls, path: str | os.PathLike[str], *, lowercase: bool = True) -> Tokenizer:
        """Read a `vocab.txt` (one piece a line, the line number is the id).

        Raises `CheckpointError` for a missing file, bad UTF-8, duplicates or absent specials.
        """
        vocabulary = read_vocabulary(Path(path))
        try:
            return cls._from_vocabulary(vocabulary, lowercase=lowercase)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Read a `tokenizer.json` of the `tokenizers` library; only WordPiece is taken.

        Its added tokens and post-processor are left out: special tokens are placed by us alone.
        Raises `CheckpointError` for a bad file, for added tokens that are neither special nor
        pieces of the model's vocabulary (without them a trained embedding would be lost), and for
        regular expressions, since there are some that take forever.
        """
        from kbert.nn.folder import parse_json

        try:
            content = parse_json(read_text(Path(path)))
            kind = content["model"].get("type", "WordPiece")
            if kind != "WordPiece":
                raise CheckpointError(f"{path}: the model is {kind}; only WordPiece is supported")
            lost = _beyond_vocabulary(content)
            if lost:
                raise CheckpointError(
                    f"{path}: {len(lost)} added tokens are not in the model's vocabulary, so they "
                    f"would be lost ({', '.join(map(repr, lost[:3]))}); put them there"
                )
            if _has_pattern([content.get("normalizer"), content.get("pre_tokenizer")]):
                raise CheckpointError(
                    f"{path}: splits texts by a regular expression, which can take forever; only"
                    " rules without are read, as BERT's"
                )
            content |= {
                "added_tokens": [],
                "post_processor": None,
                "truncation": None,
                "padding": None,
            }
            lowercase = bool((content.get("normalizer") or {}).get("lowercase", False))
            return cls(json.dumps(content, ensure_ascii=False), lowercase=lowercase)
        except CheckpointError as error:
            text = str(error)
            raise CheckpointError(text if str(path) in text else f"{path}: {text}") from None
        except Exception as error:  # the library raises bare Exception for a bad file
            raise CheckpointError(f"{path}: not a tokenizer.json: {error}") from None

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike[str]) -> Tokenizer:
        """Read the tokeniser of a model folder or hub id: `tokenizer.json`, else `vocab.txt`."""
        from kbert.nn.checksums import is_there
        from kbert.nn.folder import read_json
        from kbert.nn.hub import resolve

        folder = resolve(source)
        if is_there(folder / "tokenizer.json"):
            return cls.from_json(folder / "tokenizer.json")
        if not (folder / "vocab.txt").is_file():
            raise CheckpointError(f"{folder}: holds neither tokenizer.json nor vocab.txt")
        settings = folder / "tokenizer_config.json"
        entries = read_json(settings) if is_there(settings) else {}
        lowercase = bool(entries.get("do_lower_case", True))
        return cls.from_vocab(folder / "vocab.txt", lowercase=lowercase)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocab_size: int = 8000,
        lowercase: bool = True,
        announce: Callable[[str], None] | None = None,
    ) -> Tokenizer:
        """Learn a WordPiece vocabulary: every character seen, then the pieces that pay most.

        There are at most `vocab_size` pieces; `announce` is told if that leaves out characters.
        The same texts give the same vocabulary in every process. Raises `SettingsError` for a size
        that has no room for the special pieces and one character.
        """
        vocabulary = learn_vocabulary(
            texts, size=vocab_size, lowercase=lowercase, announce=announce
        )
        return cls._from_vocabulary(vocabulary, lowercase=lowercase)

    @classmethod
    def _from_vocabulary(cls, vocabulary: dict[str, int], *, lowercase: bool) -> Tokenizer:
        if "[UNK]" not in vocabulary:
            raise CheckpointError("the vocabulary lacks the special token [UNK]")
        model = models.WordPiece(vocabulary, unk_token="[UNK]")
        return cls(bert_library(model, lowercase=lowercase).to_str(), lowercase=lowercase)

    def __len__(self) -> int:
        """Count the pieces of the vocabulary."""
        return int(self._library.get_vocab_size())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the specification; what was remembered is not part of the value."""
        return functools.partial(Tokenizer, lowercase=self.lowercase), (self._specification,)

    def piece(self, token_id: int) -> str:
        """Name the piece of an id."""
        piece = self._library.id_to_token(token_id)
        if piece is None:
            raise ValueError(f"no piece has the id {token_id} in a vocabulary of {len(self)}")
        return str(piece)

    def encode(self, text: str) -> Encoding:
        """Tokenise one text, without special tokens. Raises `DataError` for a lone surrogate."""
        if self._fragments is None:
            return self._encode_whole(text)
        ids: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        characters, words = self._characters, self._words
        for match in self._fragments.finditer(text):
            start, end = match.span()
            if match.lastindex:  # a run of characters that are pieces of their own
                ids += map(characters.__getitem__, match[0])
                starts += range(start, end)
                ends += range(start + 1, end + 1)
                continue
            fragment = match[0]
            word = words.get(fragment)
            if word is None:
                word = self._remember(fragment)
            ids += word.ids
            starts += [start + offset for offset in word.starts]
            ends += [start + offset for offset in word.ends]
        return Encoding(ids, starts, ends)

    def _remember(self, fragment: str) -> Encoding:
        if len(self._words) >= _REMEMBERED:
            self._words.clear()
        word = self._words[fragment] = self._encode_whole(fragment)
        return word

    def _encode_whole(self, text: str) -> Encoding:
        try:
            encoding = self._library.encode(text, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):
            raise DataError("the text holds a lone surrogate, which is not a character") from None
        ids, offsets = encoding.ids, encoding.offsets
        if not self._placed.isdisjoint(ids):  # a pre-tokeniser that leaves `[SEP]` in one word
            ids = [self.unknown_id if number in self._placed else number for number in ids]
        return Encoding(ids, [start for start, _ in offsets], [end for _, end in offsets])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `vocab.txt`, `tokenizer.json` and `tokenizer_config.json` as `transformers` does.

        The written `tokenizer.json` names the special tokens and their template, so that other
        libraries place them as BERT does; `from_json` leaves them out again. `checksums.json` notes
        the checksums of the three.
        """
        from kbert.nn.checksums import seal

        target = Path(folder)
        vocabulary = self._library.get_vocab()
        pieces = sorted(vocabulary, key=vocabulary.__getitem__)
        content = json.loads(self._specification)
        content["added_tokens"] = [_added_token(p, vocabulary[p]) for p in SPECIALS]
        content["post_processor"] = {
            "type": "BertProcessing",
            "sep": ["[SEP]", self.sep_id],
            "cls": ["[CLS]", self.cls_id],
        }
        names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
        settings = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": self.lowercase,
            **dict(zip(names, SPECIALS, strict=True)),
        }
        (target / "vocab.txt").write_bytes("".join(f"{p}\n" for p in pieces).encode())
        for name, value in (("tokenizer.json", content), ("tokenizer_config.json", settings)):
            text = json.dumps(value, ensure_ascii=False, indent=1)
            (target / name).write_bytes(text.encode())
        seal(target, ("vocab.txt", "tokenizer.json", "tokenizer_config.json"))


class _Characters(dict[str, int]):
    """Ids of characters that are always one piece, asked of the library at first sight."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    def __missing__(self, character: str) -> int:
        (number,) = self._library.encode(character, add_special_tokens=False).ids
        self[character] = number
        return int(number)


def _beyond_vocabulary(content: dict[str, Any]) -> list[str]:
    """List the added tokens of a `tokenizer.json` that the model itself does not have."""
    added = [token["content"] for token in content.get("added_tokens") or ()]
    known = {*content["model"]["vocab"], *SPECIALS}
    return [piece for piece in added if piece not in known]


def _has_pattern(value: object) -> bool:
    """Say whether there is a regular expression anywhere in the rules of a tokeniser."""
    if isinstance(value, dict):
        return "Regex" in value or _has_pattern(list(value.values()))
    return isinstance(value, list) and any(map(_has_pattern, value))


def _sets_characters_apart(specification: str) -> bool:
    content = json.loads(specification)
    normalizer, splitter = content.get("normalizer") or {}, content.get("pre_tokenizer") or {}
    return (
        normalizer.get("type") == "BertNormalizer"
        and bool(normalizer.get("handle_chinese_chars"))
        and splitter.get("type") == "BertPreTokenizer"
    )


@functools.cache
def _fragments() -> re.Pattern[str]:
    """Match a run of one-character pieces (group 1), or a run of anything else but spaces.

    Only what is certain is set apart: unified ideographs, ASCII punctuation, and CJK or full-width
    punctuation (category P). Whatever is not listed stays inside its fragment, and is split there
    by the library, so a gap in this list costs time and never changes a piece.
    """
    marks = [chr(n) for n in (*range(0x21, 0x7F), *range(0x2010, 0x2028))]
    marks += [chr(n) for n in (*range(0x3001, 0x3040), *range(0xFF01, 0xFF66))]
    ascii_marks = set("$+<=>^`|~")  # BERT counts every ASCII symbol as punctuation
    apart = [m for m in marks if m in ascii_marks or unicodedata.category(m).startswith("P")]
    own = "".join(map(re.escape, apart)) + "\u3400-\u4dbf\u4e00-\u9fff"
    return re.compile(f"([{own}]+)|[^{own} \\t\\n\\r\u3000]+")


def _added_token(piece: str, number: int) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": piece, **flags, "special": True}
