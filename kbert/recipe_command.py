"""What commands whose flags are settings have in common: recipes, and settings that are shown.

They train, so they also have in common how an unfinished run is gone on with.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from kbert import console

if TYPE_CHECKING:
    from kbert.resuming import Resume


class Recipe(Protocol):
    """Settings that can be written down."""

    def to_yaml(self) -> str:
        """Spell them as a recipe."""


Settings = TypeVar("Settings", bound=Recipe)


def run(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    *,
    command: str,
    add_flags: Callable[[argparse.ArgumentParser], None],
    read: Callable[[str | None, Mapping[str, Any]], Settings],
    use: Callable[[Settings, Resume], str],
) -> int:
    """Run a command, by its module's name; return its exit status.

    `add_flags` gives `parser` a flag a setting, `read` merges a recipe's file and the flags that
    were used, and `use` does the work and returns what goes to standard output.
    """
    parser.add_argument("--config", metavar="FILE", help="YAML recipe; flags override it")
    parser.add_argument(
        "--print-config", action="store_true", help="print the resulting settings as YAML and stop"
    )
    parser.add_argument(
        "--resume",
        metavar="FOLDER",
        help="go on with the unfinished run in FOLDER, with its settings; or auto: with that of"
        " this output if settings are equal, else begin anew",
    )
    add_flags(parser)
    values: dict[str, Any] = vars(parser.parse_args(arguments))
    config, show, named = (values.pop(name) for name in ("config", "print_config", "resume"))

    def work() -> None:
        resume: Resume = None
        if named in (None, "auto"):
            resume = named
            settings = read(config, values)
        else:
            from kbert.resuming import settings_of

            resume = Path(named)
            settings = settings_of(resume, command=command, config=config, flags=values, read=read)
        console.emit(settings.to_yaml().removesuffix("\n") if show else use(settings, resume))

    return console.guard(work)
