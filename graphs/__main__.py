"""`python -m graphs COMMAND …`: build, look at, search, measure and export knowledge graphs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from graphs.commands import build, console, coverage, export, facts, info, link, splits

_COMMANDS = {
    "build": build,
    "info": info,
    "facts": facts,
    "link": link,
    "export": export,
    "coverage": coverage,
    "splits": splits,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    options = _parser().parse_args(arguments)
    return console.guard(lambda: _COMMANDS[options.command].run(options))


def _parser() -> console.Parser:
    parser = console.Parser(
        prog="python -m graphs",
        description="Build, look at, search, measure and export knowledge graphs.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in _COMMANDS.items():
        help = (module.__doc__ or "").partition(": ")[2].partition("\n")[0]
        command = commands.add_parser(
            name, help=help, description=help, allow_abbrev=False, prog=f"{parser.prog} {name}"
        )
        module.add_to(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
