"""Cut a paragraph into sentences, by a few rules, and lose no character of it.

- A sentence ends after a run of full stops, question marks, exclamation marks or ellipses and the
  quotes and brackets that close behind it; white space behind that still belongs to it.
- Marks that can be nothing else (`。！？；`, `।`, `؟` …) end a sentence always. `!`, `?` and `…` do
  so before a Chinese, Japanese or Korean character; these and `.` before white space and anything
  but a lower-case letter (opening quotes and brackets are looked through).
- No sentence begins with a comma, colon, closing mark or another end mark.
- The full stop of an abbreviation (`Dr.`, `U.S.`, `No.` before a number), of an initial (`J.`) or
  of a number that begins the sentence (`1.`) ends nothing.
- An ASCII quote closes if one is open in the paragraph, and opens otherwise.

Where a rule cannot know, it does not cut: a sentence too long is a smaller harm than half of one.
"""

from __future__ import annotations

import re
from typing import Final

_ALWAYS: Final = "。！？；｡।॥؟۔።"
_CLOSING: Final = "\"'”’»›」』）】》〉〕］｝)]}"
_OPENING: Final = "\"'“‘«‹「『（【《〈〔［｛([{¿¡"
_CJK: Final = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)

_END: Final = re.compile(
    rf"(?P<marks>[{_ALWAYS}….!?]+)(?P<closing>[{re.escape(_CLOSING)}]*)(?P<space>\s*)"
)
_ALWAYS_ENDS: Final = re.compile(f"[{_ALWAYS}]")
_CONTINUES: Final = re.compile(rf"[，、：；,:;.!?…。！？｡·—{re.escape(_CLOSING[2:])}]")
_BEGINS_CJK: Final = re.compile(rf"[{re.escape(_OPENING)}]*[{_CJK}]")
_OPENED: Final = re.compile(rf"[{re.escape(_OPENING)}]*")

_LONGEST_WORD: Final = 24
_WORD: Final = re.compile(r"[^\s({\[“‘\"'«—–/-]*$")
_DOTTED: Final = re.compile(r"[^\W\d_](\.[^\W\d_])+")
_TITLE: Final = re.compile(
    r"mr|mrs|ms|dr|prof|st|mt|gen|col|maj|capt|lt|sgt|rev|hon|gov|sen|rep|pres|vs|viz|cf|al|messrs"
    r"|mme|mlle",
    re.IGNORECASE,
)
_BEFORE_NUMBER: Final = re.compile(
    r"nos?|figs?|vol|ch|sec|art|eq|pp?|ca|approx|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)


def split_sentences(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph; joined, they are the paragraph.

    None is empty or white space alone, unless the whole paragraph is (`""` has no sentence).
    """
    sentences: list[str] = []
    begin, counted, quotes = 0, 0, 0
    for match in _END.finditer(paragraph):
        end = match.end()
        closing = match["closing"]
        if '"' in closing:
            quotes += paragraph.count('"', counted, match.start("closing"))
            counted = match.start("closing")
            if quotes % 2 == 0 and closing[0] == '"' and not match["space"]:
                end = counted  # no quote is open: this one opens, in a script without spaces
                closing = ""
        if end < len(paragraph) and _ends(paragraph, match, begin=begin, end=end, closing=closing):
            sentences.append(paragraph[begin:end])
            begin = end
    if begin < len(paragraph):
        sentences.append(paragraph[begin:])
    return sentences


def _ends(text: str, match: re.Match[str], *, begin: int, end: int, closing: str) -> bool:
    """Say whether a sentence from `begin` ends at `end`, where text follows."""
    if _CONTINUES.match(text, end):
        return False
    marks = match["marks"]
    if _ALWAYS_ENDS.search(marks):
        return True
    if not match["space"]:
        return marks[-1] != "." and _BEGINS_CJK.match(text, end) is not None
    opened = _OPENED.match(text, end)
    following = text[opened.end() : opened.end() + 1] if opened else ""
    if following.islower():
        return False
    if marks != "." or closing:
        return True
    return not _is_abbreviation(text, begin, match.start(), number=following.isdigit())


def _is_abbreviation(text: str, begin: int, stop: int, *, number: bool) -> bool:
    """Say whether the full stop at `stop` belongs to the word before it; a `number` may follow."""
    found = _WORD.search(text[max(begin, stop - _LONGEST_WORD) : stop])
    word = found[0] if found else ""
    if word.isdigit():
        return text[begin:stop].strip() == word if stop - begin <= _LONGEST_WORD else False
    if len(word) == 1:
        return word.isupper() and word != "I"
    if _DOTTED.fullmatch(word):
        return True
    return bool(_TITLE.fullmatch(word) or (number and _BEFORE_NUMBER.fullmatch(word)))
