from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.normal import NormalForm

FORMS = [NormalForm(case_fold=fold, nfkc=nfkc) for fold in (False, True) for nfkc in (False, True)]
text = st.text(st.characters() | st.sampled_from("aAßİﬁＡ́苹ｶﾞ가\u1100\u1161\u11a8\ufe0f"))


@pytest.mark.parametrize(
    ("raw", "fold", "nfkc", "both"),
    [
        ("Straße", "strasse", "Straße", "strasse"),
        ("İ", "i̇", "İ", "i̇"),
        ("ﬁT", "fit", "fiT", "fit"),
        ("Ａpple", "ａpple", "Apple", "apple"),
        ("e\u0301E\u0301", "e\u0301e\u0301", "éÉ", "éé"),
        ("ｶﾞ", "ｶﾞ", "ガ", "ガ"),
        ("\u1112\u1161\u11ab", "\u1112\u1161\u11ab", "한", "한"),
        ("\u01f0", "j\u030c", "\u01f0", "\u01f0"),
        ("㎏", "㎏", "kg", "kg"),
        ("苹果", "苹果", "苹果", "苹果"),
    ],
)
def test_what_the_forms_do(raw: str, fold: str, nfkc: str, both: str) -> None:
    assert NormalForm(case_fold=True, nfkc=False).apply(raw) == fold
    assert NormalForm(case_fold=False, nfkc=True).apply(raw) == nfkc
    assert NormalForm(case_fold=True, nfkc=True).apply(raw) == both
    assert NormalForm(case_fold=False, nfkc=False).apply(raw) == raw


@pytest.mark.parametrize("form", FORMS[1:])
@given(raw=text)
def test_every_piece_goes_back_to_whole_clusters(form: NormalForm, raw: str) -> None:
    normal, origins = form.trace(raw)
    assert normal == form.apply(raw)
    assert len(origins) == len(normal) + 1 and origins[-1] == len(raw)
    bounds = [(i, int(origin)) for i, origin in enumerate(origins) if origin >= 0]
    for (start, raw_start), (end, raw_end) in itertools.pairwise(bounds):
        assert raw_start < raw_end
        assert form.apply(raw[raw_start:raw_end]) == normal[start:end]
        assert all(map(joins, raw[raw_start + 1 : raw_end]))
        assert raw_start == 0 or not joins(raw[raw_start])


def joins(char: str) -> bool:
    """Say by the character's name and category whether it composes with the one before it."""
    name = unicodedata.name(char, "")
    jamo = name.startswith(("HANGUL JUNGSEONG", "HANGUL JONGSEONG"))
    voicing = name.startswith("HALFWIDTH KATAKANA") and "SOUND MARK" in name
    # Unassigned code points of the Jamo blocks go with their block.
    hole = not name and ("\ud7b0" <= char <= "\ud7ff")
    return unicodedata.category(char)[0] == "M" or jamo or voicing or hole


def test_trace_gives_offsets() -> None:
    normal, origins = NormalForm(case_fold=True, nfkc=True).trace("aße\u0301ﬁ")
    assert normal == "asséfi"
    assert origins.tolist() == [0, 1, -1, 2, 4, -1, 5]


def test_marks_at_the_start_are_a_cluster() -> None:
    _, origins = NormalForm(case_fold=True, nfkc=False).trace("\u0301\u0302a")
    assert origins.tolist() == [0, -1, 2, 3]
