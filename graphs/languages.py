"""Prefer some languages over others: a list of tags, and the place of a text's tag in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.errors import GraphError
from graphs.terms import LANGUAGE

UNWANTED = 1 << 20  # the rank of a language that is not in the preference

_is_language = re.compile(LANGUAGE).fullmatch


def preference(languages: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of `languages` in lower case, as terms have them.

    Raises `GraphError` for a text in place of a list, and for what is no language tag.
    """
    if isinstance(languages, str):
        raise GraphError(f"languages is the text {languages!r}; give a list of language tags")
    for language in languages:
        if not _is_language(language):
            raise GraphError(f"{language!r} is no language tag; write it as in en or zh-hant")
    return tuple(language.lower() for language in languages)


def language_rank(tag: str, languages: Sequence[str]) -> int:
    """Return the place of a language `tag` in the preference; `en` takes `en-gb`, too.

    A text without a language comes after the preferred ones; without a preference all are 0.
    """
    if not languages:
        return 0
    if not tag:
        return len(languages)
    for rank, language in enumerate(languages):
        if tag == language or tag.startswith(f"{language}-"):
            return rank
    return UNWANTED


def no_text_in(language: str) -> str:
    """Return the line that tells of a preferred language which does not occur."""
    return f"no text of the graph is in the language {language!r}; info counts those that occur"
