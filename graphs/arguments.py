"""An argument parser whose mistakes are one line, with the name that was probably meant."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from graphs.errors import suggestion

_UNKNOWN: Final = "unrecognized arguments: "
_CHOICE: Final = re.compile(r"(invalid choice: '(.*)') \(choose from (.*)\)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, what was probably meant, and where the flags are listed."""
        line = " ".join((message + self._meant(message)).splitlines())
        self.exit(2, f"error: {line} (see {self.prog} --help)\n")

    def _meant(self, message: str) -> str:
        """Suggest the flag or the choice that is nearest to the one in argparse's message."""
        if message.startswith(_UNKNOWN):
            given = message.removeprefix(_UNKNOWN).split()[0].partition("=")[0]
            return suggestion(given, _flags(self)) if given.startswith("--") else ""
        if found := _CHOICE.search(message):
            return suggestion(found[2], re.findall(r"'([^']*)'", found[3]))
        return ""


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield every flag of a parser and of its commands, which leave unknown ones to it."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _flags(command)
