"""`python -m kbert.train --kg GRAPH`: from a graph and labelled texts to a model that predicts.

Read settings, check them; load graph and data; inject facts once; train with an evaluation each
epoch; test the best weights; write the run folder whole. `--help` needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from kbert import console
from kbert.flags import add_flags
from kbert.settings import settings_from


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(
        prog="python -m kbert.train",
        description="Fine-tune a BERT encoder that knows a knowledge graph (K-BERT).",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="YAML recipe; flags override it")
    parser.add_argument(
        "--print-config", action="store_true", help="print the resulting settings as YAML and stop"
    )
    add_flags(parser)
    values: dict[str, Any] = vars(parser.parse_args(arguments))
    config, show = values.pop("config"), values.pop("print_config")
    return console.guard(lambda: _train(config, show, values))


def _train(config: str | None, show: bool, overrides: dict[str, Any]) -> None:
    settings = settings_from(config, overrides)
    if show:
        console.emit(settings.to_yaml().removesuffix("\n"))
        return
    from kbert.finetune import finetune

    report = finetune(settings)
    console.emit(report.table())


if __name__ == "__main__":
    sys.exit(main())
