"""Resolve relative IRIs, by RFC 3986 (section 5.2) with the characters of RFC 3987."""

from __future__ import annotations

import re

_parts = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.\-]*+):)?(?://([^/?#]*+))?([^?#]*+)(?:\?([^#]*+))?(?:#(.*+))?",
    re.DOTALL,
)
# A colon in the first step of a relative path would make it a scheme (RFC 3986, section 4.2).
_colon_first = re.compile(r"[^/?#:]*+:").match


def resolve(base: str, reference: str) -> str:
    """Return the IRI that `reference` means where `base`, an absolute IRI, is the base.

    Raises `ValueError` for a reference whose first step holds a colon and is no scheme.
    """
    scheme, host, path, query, fragment = _split(reference)
    if scheme is None:
        if _colon_first(reference):
            raise ValueError(f"<{reference[:60]}> is no IRI; a scheme begins with a letter")
        scheme, base_host, base_path, base_query, _ = _split(base)
        if host is None:
            host = base_host
            if not path:
                path, query = base_path, base_query if query is None else query
            elif path.startswith("/"):
                path = _without_dots(path)
            else:
                path = _without_dots(_merge(base_host, base_path, path))
        else:
            path = _without_dots(path)
    else:
        path = _without_dots(path)
    return "".join(
        (
            f"{scheme}:",
            "" if host is None else f"//{host}",
            path,
            "" if query is None else f"?{query}",
            "" if fragment is None else f"#{fragment}",
        )
    )


def _split(iri: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    match = _parts.fullmatch(iri)
    assert match is not None, "the expression matches every text"
    scheme, host, path, query, fragment = match.groups()
    return scheme, host, path or "", query, fragment


def _merge(host: str | None, base_path: str, path: str) -> str:
    if host is not None and not base_path:
        return f"/{path}"
    return base_path[: base_path.rfind("/") + 1] + path


def _without_dots(path: str) -> str:
    """Follow the steps `.` and `..` of a path (RFC 3986, section 5.2.4)."""
    steps = path.split("/")
    kept: list[str] = []
    for step in steps:
        if step == "..":
            # The empty step before a leading slash stays: there is nothing above the root.
            if len(kept) > 1 or (kept and kept[0]):
                kept.pop()
        elif step != ".":
            kept.append(step)
    if steps[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)
