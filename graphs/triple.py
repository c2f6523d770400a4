"""Name the two records of a knowledge graph: a triple, and a fact about a known entity.

Both are plain tuples of strings, so they compare, hash, sort and pickle as tuples do, and a caller
may pass a 3-tuple wherever a `Triple` is taken.
"""

from __future__ import annotations

from typing import NamedTuple, TypeGuard


class Triple(NamedTuple):
    """State that `relation` holds from `head` to `tail`."""

    head: str
    relation: str
    tail: str


class Fact(NamedTuple):
    """Say what is known of an entity: the part of a triple after its head."""

    relation: str
    tail: str


def is_text(value: object) -> TypeGuard[str]:
    """Say whether `value` is a string that a text file can hold: no NUL, no lone surrogates."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
