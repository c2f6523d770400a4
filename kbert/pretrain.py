"""`python -m kbert.pretrain --corpus FOLDER`: from texts to a BERT that others can build on.

Read settings, check them; open the corpus, or tokenise the texts; train through the phases with a
validation now and then; write the run folder whole. `--help` needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from kbert import console
from kbert.pretraining.flags import add_flags
from kbert.pretraining.settings import settings_from


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(
        prog="python -m kbert.pretrain",
        description="Pre-train a BERT encoder: masked tokens, and how two sentences relate.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="YAML recipe; flags override it")
    parser.add_argument(
        "--print-config", action="store_true", help="print the resulting settings as YAML and stop"
    )
    add_flags(parser)
    values: dict[str, Any] = vars(parser.parse_args(arguments))
    config, show = values.pop("config"), values.pop("print_config")
    return console.guard(lambda: _pretrain(config, show, values))


def _pretrain(config: str | None, show: bool, overrides: dict[str, Any]) -> None:
    settings = settings_from(config, overrides)
    if show:
        console.emit(settings.to_yaml().removesuffix("\n"))
        return
    from kbert.pretraining.run import pretrain

    report = pretrain(settings)
    console.emit(report.table())


if __name__ == "__main__":
    sys.exit(main())
