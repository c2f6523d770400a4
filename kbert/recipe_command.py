"""What commands whose flags are settings have in common: recipes, and settings that are shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from kbert import console


class Recipe(Protocol):
    """Settings that can be written down."""

    def to_yaml(self) -> str:
        """Spell them as a recipe."""


Settings = TypeVar("Settings", bound=Recipe)


def run(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    *,
    add_flags: Callable[[argparse.ArgumentParser], None],
    read: Callable[[str | None, Mapping[str, Any]], Settings],
    use: Callable[[Settings], str],
) -> int:
    """Run a command; return its exit status.

    `add_flags` gives `parser` a flag a setting, `read` merges a recipe's file and the flags that
    were used, and `use` does the work and returns what goes to standard output.
    """
    parser.add_argument("--config", metavar="FILE", help="YAML recipe; flags override it")
    parser.add_argument(
        "--print-config", action="store_true", help="print the resulting settings as YAML and stop"
    )
    add_flags(parser)
    values: dict[str, Any] = vars(parser.parse_args(arguments))
    config, show = values.pop("config"), values.pop("print_config")

    def command() -> None:
        settings = read(config, values)
        console.emit(settings.to_yaml().removesuffix("\n") if show else use(settings))

    return console.guard(command)
