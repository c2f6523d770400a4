"""The tokeniser: the library's own pieces at every cut, no special id from text, files, training.

The oracle is a `tokenizers` pipeline that is put together here and never cuts the text.
"""

from __future__ import annotations

import json
import pickle
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import models, normalizers, pre_tokenizers

from kbert.errors import CheckpointError, DataError
from kbert.tokenizer import SPECIALS, Tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
LETTERS = "abcdeghilnopst"
PIECES = [
    *SPECIALS, "[unused1]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *"ABÉé0１ßıςσ",
    "##é", "##É", *"中北京爱吃苹果、，。！.,-[]#$+<=>^`|~·—…“か가", "##か", "\u0301", "##\u0301",
    "sep", "cls", "##ab", "the", "The",
]  # fmt: skip
# What the rule of cutting might get wrong: scripts, marks, controls, blanks of every kind, symbols.
ALPHABET = (
    "abAB0É\u00e9e\u0301\u0300\u0327ßıİςΣσﬁ１Ａ！，。、·—…“$+<=>^`|~[]#.-中北京爱苹果龦々〇か\u3099"
    "가\u1100\u1161㍿①²\u4db6\u9fff\uf900\u2f00\U00020000\U0001f600\u0e01\u06dd"
    " \t\n\r\0\x0b\x0c\x1c\x1d\x1f\x85\xa0\xad\u1680\u2009\u2028\u2029\u202f\u3000"
    "\u200b\u200c\u200d\u2060\ufe0f\ufeff\ufffd"
)
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(ALPHABET),
        st.sampled_from(["[SEP]", "[CLS]", "[PAD]", "[MASK]", "[UNK]", "[unused1]", "##ab", "the"]),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
).map("".join)


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def ours(request: pytest.FixtureRequest, make_tokenizer: Callable[..., Tokenizer]) -> Tokenizer:
    return make_tokenizer(PIECES, lowercase=request.param)


@pytest.fixture(scope="module")
def library(ours: Tokenizer) -> Library:
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(PIECES))}
    whole = Library(models.WordPiece(vocabulary, unk_token="[UNK]"))
    whole.normalizer = normalizers.BertNormalizer(lowercase=ours.lowercase)
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return whole


@given(text=TEXTS)
@example(text="")
@example(text="\u0301中\u0301 e\u0301\u200b，\u0301")
@example(text="a\x1cb\u2028c\x85d")
def test_encode_equals_the_library_on_the_whole_text(
    text: str, ours: Tokenizer, library: Library
) -> None:
    expected = library.encode(text, add_special_tokens=False)
    for _ in range(2):  # first sight of a fragment, and from memory
        ids, starts, ends = ours.encode(text)
        assert ids == expected.ids
        assert list(zip(starts, ends, strict=True)) == expected.offsets


def test_every_character_that_is_cut_apart_is_one_piece(
    make_tokenizer: Callable[..., Tokenizer],
) -> None:
    """All of Unicode: between two letters, each character gives what the library says."""
    tokenizer = make_tokenizer(["a", "b", "##b"])
    vocabulary = {piece: number for number, piece in enumerate([*SPECIALS, "a", "b", "##b"])}
    whole = Library(models.WordPiece(vocabulary, unk_token="[UNK]"))
    whole.normalizer = normalizers.BertNormalizer(lowercase=True)
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    codes = [*range(0xD800), *range(0xE000, 0x11000), *range(0x1F000, 0x20100), 0x2F800, 0xE0100]
    texts = [f"a{''.join(map(chr, codes[i : i + 16]))}b" for i in range(0, len(codes), 16)]
    for text, expected in zip(texts, whole.encode_batch(texts), strict=True):
        encoding = tokenizer.encode(text)
        assert encoding.ids == expected.ids, ascii(text)
        assert [*zip(encoding.starts, encoding.ends, strict=True)] == expected.offsets, ascii(text)


@pytest.mark.data
def test_encode_equals_the_library_with_published_vocabularies(data_dir: Path) -> None:
    texts = [
        line
        for path in ("zh/chnsenticorp/test.tsv", "zh/medical_ner/test.tsv")
        for line in (data_dir / path).read_text(encoding="utf-8").split("\n")[:300]
    ]
    assert sum(map(len, texts)) > 10_000
    for name, lowercase in (("google_zh", True), ("google_cased_en", False)):
        path = data_dir / f"vocab/{name}_vocab.txt"
        tokenizer = Tokenizer.from_vocab(path, lowercase=lowercase)
        whole = Library(models.WordPiece.from_file(str(path), unk_token="[UNK]"))
        whole.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        for text in texts:
            encoding = tokenizer.encode(text)
            expected = whole.encode(text, add_special_tokens=False)
            assert encoding.ids == expected.ids
            assert [*zip(encoding.starts, encoding.ends, strict=True)] == expected.offsets


@given(text=TEXTS)
def test_text_never_becomes_a_special_token(text: str, ours: Tokenizer) -> None:
    placed = {ours.pad_id, ours.cls_id, ours.sep_id, ours.mask_id}
    assert placed.isdisjoint(ours.encode(text).ids)


@pytest.mark.parametrize("text", [*SPECIALS, "[unused1]", "中[SEP]文", "a [CLS]b", "[SEP][SEP]"])
def test_a_special_tokens_name_is_brackets_and_letters(text: str, ours: Tokenizer) -> None:
    pieces = [ours.piece(number) for number in ours.encode(text).ids]
    assert "[" in pieces and "]" in pieces
    assert not {*SPECIALS, "[unused1]"}.difference({"[UNK]"}).intersection(pieces)


@pytest.mark.usefixtures("unsealed")
def test_added_tokens_that_would_be_lost_are_refused(
    make_tokenizer: Callable[..., Tokenizer], tmp_path: Path
) -> None:
    make_tokenizer(["the", "[unused1]"]).save(tmp_path)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    known = {**content["added_tokens"][0], "id": 6, "content": "[unused1]"}
    content["added_tokens"].append(known)
    file.write_text(json.dumps(content), encoding="utf-8")
    assert len(Tokenizer.from_json(file)) == 7
    content["added_tokens"] += [{**known, "id": 7 + i, "content": f"[疾病{i}]"} for i in range(4)]
    file.write_text(json.dumps(content), encoding="utf-8")
    for load in (Tokenizer.from_json, lambda path: Tokenizer.from_pretrained(path.parent)):
        with pytest.raises(CheckpointError) as caught:
            load(file)
        assert str(caught.value).startswith(f"{file}: 4 added tokens are not in the model's ")
        assert "'[疾病0]', '[疾病1]', '[疾病2]'" in str(caught.value)


def test_a_lone_surrogate_is_refused(ours: Tokenizer) -> None:
    for text in ("\ud800", "中\udc00文", "ab\ud800"):
        with pytest.raises(DataError, match="lone surrogate"):
            ours.encode(text)


def _plain(text: str, *, lowercase: bool) -> str:
    """Normalise as the BERT paper's code describes, for letters and marks."""
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf"))
    if not lowercase:
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn").lower()


@given(text=st.text("abAB é\u0301\u200b中北京，.[]the\x1c", max_size=12))
def test_offsets_point_at_what_the_piece_spells(text: str, ours: Tokenizer) -> None:
    encoding = ours.encode(text)
    last = 0
    for number, start, end in zip(*encoding, strict=True):
        assert last <= start < end <= len(text)
        last = end
        piece = ours.piece(number)
        if piece != "[UNK]":
            assert _plain(text[start:end], lowercase=ours.lowercase) == piece.removeprefix("##")


def test_case_is_kept_or_not(make_tokenizer: Callable[..., Tokenizer]) -> None:
    for lowercase, pieces in ((True, ["the", "the"]), (False, ["The", "the"])):
        tokenizer = make_tokenizer(["the", "The"], lowercase=lowercase)
        assert [tokenizer.piece(i) for i in tokenizer.encode("The the").ids] == pieces


def test_pieces_have_names_and_ids_have_bounds(ours: Tokenizer) -> None:
    assert len(ours) == len(set(PIECES))
    assert [ours.piece(i) for i in range(5)] == list(SPECIALS)
    assert (ours.pad_id, ours.unknown_id, ours.cls_id, ours.sep_id, ours.mask_id) == (0, 1, 2, 3, 4)
    with pytest.raises(ValueError, match=f"no piece has the id {len(ours)}"):
        ours.piece(len(ours))


def test_it_can_be_pickled(ours: Tokenizer) -> None:
    ours.encode("the 北京")
    copy = pickle.loads(pickle.dumps(ours))
    assert copy.lowercase == ours.lowercase
    assert copy.encode("[SEP] the É 北京") == ours.encode("[SEP] the É 北京")
