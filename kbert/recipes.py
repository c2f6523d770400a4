"""Recipes: settings in a YAML file, read strictly and written so that they read back the same.

A recipe is one mapping of known keys to values. The safe loader makes it, so a recipe holds values
and never code. What YAML has beyond values is refused before anything is built: tags, anchors and
aliases (a few lines of them make gigabytes), several documents, numbers without end, deep nesting.
`${NAME}` in a text is the environment variable NAME; `$${` stands for `${` itself. What the values
must be is decided in `kbert.settings`; an error of theirs gets the recipe's line.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from kbert.errors import SettingsError

if TYPE_CHECKING:
    import yaml
    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)

_MOST: Final = 1 << 18  # bytes
_DEEPEST: Final = 8
_LONGEST_NUMBER: Final = 40
_NUMBER: Final = re.compile(r"[-+.:_0-9a-fA-FxoO]+")
_VARIABLE: Final = re.compile(r"\$(\$\{)|\$\{(\w+)\}")


def merged(
    settings: type[Settings], path: str | os.PathLike[str] | None, overrides: Mapping[str, Any]
) -> Settings:
    """Merge the defaults of a dataclass, a YAML recipe and overrides, in this order.

    Raises `SettingsError`, with the recipe's line for a value of it that cannot be used.
    """
    known = [field.name for field in dataclasses.fields(settings)]
    if path is None:
        return settings(**overrides)
    recipe = read_recipe(path, known=known)
    try:
        return settings(**{**recipe.values, **overrides})
    except SettingsError as error:
        line = recipe.lines.get(error.setting or "")
        if line is None or error.setting in overrides:
            raise
        raise SettingsError(f"{path}:{line}: {error}", setting=error.setting) from None


class Recipe(NamedTuple):
    """The values of a recipe, and the line of its file that each stands in, from 1."""

    values: dict[str, Any]
    lines: dict[str, int]


def read_recipe(path: str | os.PathLike[str], *, known: Sequence[str]) -> Recipe:
    """Read a recipe whose keys are among `known`.

    Raises `SettingsError`, with the line where there is one, for anything else.
    """
    import yaml

    try:
        text = _read(Path(path))
        _check_events(text, path=path)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return Recipe({}, {})
        lines = _check_keys(node, path=path, known=known)
        content: dict[str, Any] = loader.construct_document(node)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 at byte {error.start}") from None
    except yaml.YAMLError as error:
        raise _not_yaml(error, path=path) from None
    except (ValueError, RecursionError) as error:  # of dates and numbers that are none
        raise SettingsError(f"{path}: not YAML: {error}") from None
    return Recipe({key: _expand(value, path=path) for key, value in content.items()}, lines)


def _read(path: Path) -> str:
    """Return the text of a recipe; raises `SettingsError` for a large one, and `OSError`."""
    with path.open("rb") as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise SettingsError(f"{path}: more than {_MOST:,} bytes; is this a recipe?")
    return data.decode("utf-8")


def _check_events(text: str, *, path: str | os.PathLike[str]) -> None:
    """Refuse by its line what no recipe needs. Raises `SettingsError` and `yaml.YAMLError`."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        wrong = f"more than {_DEEPEST} levels deep" if depth > _DEEPEST else _wrong_with(event)
        if wrong:
            mark: Any = event.start_mark
            raise SettingsError(f"{path}:{mark.line + 1}: {wrong}")


def _wrong_with(event: Any) -> str:
    """Say what an event of YAML has that no recipe needs; nothing where it is sound."""
    if getattr(event, "anchor", None) is not None:
        return "anchors and aliases (& and *) are not read; write the value out"
    if getattr(event, "tag", None) is not None:
        return f"the tag {event.tag} is not read; write the value without it"
    plain = getattr(event, "value", "") if not getattr(event, "style", "'") else ""
    if len(plain) > _LONGEST_NUMBER and _NUMBER.fullmatch(plain):
        return f"a number of more than {_LONGEST_NUMBER} characters; quote what is text"
    return ""


def write_recipe(values: Mapping[str, Any]) -> str:
    """Spell values as a recipe that `read_recipe` reads back equal."""
    import yaml

    escaped = {key: _escape(value) for key, value in values.items()}
    return str(yaml.safe_dump(escaped, allow_unicode=True, sort_keys=False))


def _check_keys(
    node: yaml.Node, *, path: str | os.PathLike[str], known: Sequence[str]
) -> dict[str, int]:
    """Return the line of each key; refuse those that are not known, or stand twice."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise SettingsError(f"{path}: a recipe is a list of `key: value` lines")
    seen: dict[str, int] = {}
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{path}:{line}: unknown setting {name!r}{hint}")
        if name in seen:
            raise SettingsError(f"{path}:{line}: {name} stands in line {seen[name]} already")
        seen[name] = line
    return seen


def _not_yaml(error: yaml.YAMLError, *, path: str | os.PathLike[str]) -> SettingsError:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + 1}" if mark else f"{path}"
    reason = getattr(error, "problem", None) or " ".join(str(error).split())
    return SettingsError(f"{place}: not YAML: {reason}")


def _expand(value: Any, *, path: str | os.PathLike[str]) -> Any:
    if isinstance(value, list):
        return [_expand(item, path=path) if isinstance(item, str) else item for item in value]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        if match[2] not in os.environ:
            raise SettingsError(f"{path}: the environment variable {match[2]} is not set")
        return os.environ[match[2]]

    return _VARIABLE.sub(lookup, value)


def _escape(value: Any) -> Any:
    if isinstance(value, list):
        return [_escape(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value
