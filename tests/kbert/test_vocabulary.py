"""Where a tokeniser comes from and goes to: vocabularies, tokenizer.json, folders, training.

Added tokens of a file stay out, `transformers` reads what is saved, each bad file is one line, and
a learnt vocabulary is the same in every process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import models, normalizers, pre_tokenizers

from kbert.errors import CheckpointError, SettingsError
from kbert.tokenizer import SPECIALS, Tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
PIECES = [
    *SPECIALS, "[unused1]", *"abehtcpslÉéABT北京中，[]", "##b", "##c", "##é", "sep", "the", "The",
]  # fmt: skip


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def ours(request: pytest.FixtureRequest, make_tokenizer: Callable[..., Tokenizer]) -> Tokenizer:
    return make_tokenizer(PIECES, lowercase=request.param)


def test_saved_files_read_back(ours: Tokenizer, tmp_path: Path) -> None:
    ours.save(tmp_path)
    text = "The É[SEP]北京 ab\u0301"
    for tokenizer in (
        Tokenizer.from_pretrained(tmp_path),
        Tokenizer.from_json(tmp_path / "tokenizer.json"),
        Tokenizer.from_vocab(tmp_path / "vocab.txt", lowercase=ours.lowercase),
    ):
        assert tokenizer.encode(text) == ours.encode(text)
        assert (len(tokenizer), tokenizer.lowercase) == (len(ours), ours.lowercase)
    for name in ("tokenizer.json", "checksums.json"):  # a folder of an old checkpoint
        (tmp_path / name).unlink()
    assert Tokenizer.from_pretrained(tmp_path).encode(text) == ours.encode(text)


def test_transformers_reads_the_saved_folder(ours: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    ours.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in ("The É 北京，ab\u0301", "the", "中 zz The"):
        ids = [ours.cls_id, *ours.encode(text).ids, ours.sep_id]
        assert theirs(text).input_ids == ids
    pair = theirs("the", "北京")
    first, second = ours.encode("the").ids, ours.encode("北京").ids
    assert pair.input_ids == [ours.cls_id, *first, ours.sep_id, *second, ours.sep_id]
    assert pair.token_type_ids == [0] * (len(first) + 2) + [1] * (len(second) + 1)
    assert theirs.pad_token_id == ours.pad_id and theirs.mask_token_id == ours.mask_id


def test_added_tokens_of_a_transformers_file_are_left_out(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(PIECES))}
    theirs = transformers.BertTokenizer(vocab=vocabulary)
    theirs.add_special_tokens({"additional_special_tokens": ["[unused1]"]})
    theirs.save_pretrained(tmp_path)
    text = "the [SEP] [unused1][MASK] 北京"
    assert {vocabulary["[SEP]"], vocabulary["[unused1]"]} < set(theirs(text).input_ids[1:-1])
    ours = Tokenizer.from_pretrained(tmp_path)
    special = {vocabulary[piece] for piece in (*SPECIALS, "[unused1]") if piece != "[UNK]"}
    assert special.isdisjoint(ours.encode(text).ids)
    plain = "the 北京 ab"
    assert [ours.cls_id, *ours.encode(plain).ids, ours.sep_id] == theirs(plain).input_ids


def test_another_pre_tokeniser_is_left_in_charge(tmp_path: Path) -> None:
    """Nothing is cut for a file that does not set Chinese characters and punctuation apart."""
    whole = Library(models.WordPiece(_numbered("北京", "is_a"), unk_token="[UNK]"))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    whole.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    encoding = tokenizer.encode("北京 is_a")
    assert [tokenizer.piece(number) for number in encoding.ids] == ["北京", "is_a"]
    assert (encoding.starts, encoding.ends) == ([0, 3], [2, 7])
    assert not tokenizer.lowercase


def test_chinese_words_stay_whole_where_the_file_says_so(tmp_path: Path) -> None:
    whole = Library(models.WordPiece(_numbered("北京", "，"), unk_token="[UNK]"))
    whole.normalizer = normalizers.BertNormalizer(handle_chinese_chars=False)
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    whole.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.from_pretrained(tmp_path).encode("北京，北京").ids == [5, 6, 5]


def test_no_pre_tokeniser_lets_text_become_a_special_token(tmp_path: Path) -> None:
    """Split at spaces alone, `[SEP]` is a word of the vocabulary; added tokens find it, too."""
    whole = Library(models.WordPiece(_numbered("a", "]a"), unk_token="[UNK]"))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    for added in ([], list(SPECIALS)):
        whole.add_special_tokens(added)
        whole.save(str(tmp_path / "tokenizer.json"))
        tokenizer = Tokenizer.from_pretrained(tmp_path)
        encoding = tokenizer.encode("a [SEP] [CLS]a [PAD] [MASK] [UNK]")
        assert [tokenizer.piece(number) for number in encoding.ids] == ["a", *["[UNK]"] * 5]
        assert encoding.starts == [0, 2, 8, 15, 21, 28]


def _numbered(*pieces: str) -> dict[str, int]:
    return {piece: number for number, piece in enumerate([*SPECIALS, *pieces])}


def _error(read: Callable[[Path], Any], path: Path) -> str:
    """Expect one line that names the file."""
    with pytest.raises(CheckpointError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.count(str(path)) == 1
    return message


GOOD = "".join(f"{piece}\n" for piece in SPECIALS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (GOOD.replace("[CLS]\n", "").encode(), r"lacks the special tokens [CLS]"),
        (GOOD.replace("[UNK]\n", "").encode(), r"lacks the special token [UNK]"),
        (b"", "lacks the special token"),
        (f"{GOOD}ab\nb\nab\n".encode(), ":8: 'ab' stands twice"),
        (f"{GOOD}\n\n".encode(), ":7: '' stands twice"),
        (GOOD.encode() + b"a\xffb\n", "not UTF-8 at byte 32"),
    ],
)
def test_a_bad_vocabulary_is_one_line(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    if content is not None:
        path.write_bytes(content)
    assert words in _error(Tokenizer.from_vocab, path)


def test_carriage_returns_belong_to_no_piece(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(f"{GOOD}中\n".replace("\n", "\r\n").encode())
    assert Tokenizer.from_vocab(tmp_path / "vocab.txt").encode("中").ids == [5]


def _json(**model: Any) -> bytes:
    library = Library(models.WordPiece(_numbered("a"), unk_token="[UNK]"))
    content = json.loads(library.to_str())
    content["model"] |= model
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"[PAD]\n", "not a tokenizer.json"),
        (b"[]", "not a tokenizer.json"),
        (b"{}", "not a tokenizer.json"),
        (b'{"model": null}', "not a tokenizer.json"),
        (b"\xff", "not UTF-8 at byte 0"),
        (_json()[:100], "not a tokenizer.json"),
        (_json(type="BPE"), "the model is BPE; only WordPiece is supported"),
        (_json(vocab={"[UNK]": 0}), "lacks the special tokens [PAD] [CLS] [SEP] [MASK]"),
    ],
)
def test_a_bad_tokenizer_json_is_one_line(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    assert words in _error(Tokenizer.from_json, path)


def test_a_folder_without_a_tokeniser_is_one_line(tmp_path: Path) -> None:
    assert "neither tokenizer.json nor vocab.txt" in _error(Tokenizer.from_pretrained, tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "\udcff"])
def test_bad_settings_beside_a_vocabulary_are_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text(GOOD, encoding="utf-8")
    settings = tmp_path / "tokenizer_config.json"
    settings.write_bytes(content.encode(errors="surrogateescape"))
    assert "not" in _error(lambda path: Tokenizer.from_pretrained(path.parent), settings)


def test_settings_beside_a_vocabulary_say_whether_case_is_kept(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text(GOOD, encoding="utf-8")
    assert Tokenizer.from_pretrained(tmp_path).lowercase
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    assert not Tokenizer.from_pretrained(tmp_path).lowercase


CORPUS = ["the cat sat on the mat", "the hat", "北京是城市", "上海是城市", "a cab, a cat"] * 3
TRAIN = f"""
from kbert.tokenizer import Tokenizer
tokenizer = Tokenizer.train({CORPUS!r}, vocab_size=60)
print([tokenizer.piece(number) for number in range(len(tokenizer))])
"""


def test_training_learns_the_characters_and_then_pieces() -> None:
    tokenizer = Tokenizer.train(CORPUS, vocab_size=60)
    pieces = [tokenizer.piece(number) for number in range(len(tokenizer))]
    assert pieces[:5] == list(SPECIALS)
    assert len(set(pieces)) == len(pieces) <= 60
    for text in CORPUS:
        assert tokenizer.unknown_id not in tokenizer.encode(text).ids
    assert [tokenizer.piece(i) for i in tokenizer.encode("the").ids] == ["the"]


def test_training_is_the_same_in_every_process() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
        )
        for seed in ("0", "1", "2", "3", "4")
    ]
    outputs = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    assert len(outputs[0]) > 200
    assert len(set(outputs)) == 1


def test_training_keeps_case_when_asked() -> None:
    tokenizer = Tokenizer.train(["Ab Ab"], vocab_size=20, lowercase=False)
    assert [tokenizer.piece(i) for i in tokenizer.encode("Ab").ids] == ["Ab"]
    assert tokenizer.encode("ab").ids == [tokenizer.unknown_id]


@given(
    st.lists(st.text(alphabet="abcdeé北京上海 ,.\u0301", max_size=12), max_size=8),
    st.integers(6, 40),
)
def test_a_vocabulary_is_never_larger_than_asked(texts: list[str], size: int) -> None:
    notes: list[str] = []
    tokenizer = Tokenizer.train(texts, vocab_size=size, announce=notes.append)
    assert len(tokenizer) <= size
    unknown = [text for text in texts if tokenizer.unknown_id in tokenizer.encode(text).ids]
    assert bool(unknown) == bool(notes)
    large = Tokenizer.train(texts, vocab_size=10**30)  # the library would reserve room for all
    assert not any(large.unknown_id in large.encode(text).ids for text in texts)
    if len(large) <= size:
        assert [large.piece(n) for n in range(len(large))] == [
            tokenizer.piece(n) for n in range(len(tokenizer))
        ]


def test_the_rarest_characters_are_left_out_and_this_is_said() -> None:
    notes: list[str] = []
    texts = ["北京", "北京市", "北 ab", "ab"]  # 北 3, a 2, b 2 (and ##b), 京 2, 市 1
    known = {6: "北", 7: "北", 8: "北", 9: "北ab", 10: "北京ab", 11: "北京市ab"}  # a with b alone
    for size, expected in known.items():
        tokenizer = Tokenizer.train(texts, vocab_size=size, announce=notes.append)
        assert len(tokenizer) <= size
        ids = [tokenizer.encode(character).ids for character in "北京市ab"]
        found = [c for c, n in zip("北京市ab", ids, strict=True) if n != [tokenizer.unknown_id]]
        assert "".join(found) == expected
    assert notes[0] == (
        "4 of 5 characters are too rare for a vocabulary of 6 pieces, and words with them become"
        " [UNK]"
    )
    assert len(notes) == 5  # not for the last size


@pytest.mark.parametrize("size", [-1, 0, 5])
def test_a_vocabulary_without_room_is_refused(size: int) -> None:
    with pytest.raises(SettingsError, match=rf"of {size} pieces has no room .* give at least 6"):
        Tokenizer.train(["a"], vocab_size=size)
