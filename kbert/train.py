"""`python -m kbert.train --kg GRAPH`: from a graph and labelled texts to a model that predicts.

Read settings, check them; load graph and data; inject facts once; train with an evaluation each
epoch; test the best weights; write the run folder whole. `--help` needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kbert import console, recipe_command
from kbert.flags import add_flags
from kbert.settings import TrainSettings, settings_from

if TYPE_CHECKING:
    from kbert.resuming import Resume


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(
        prog="python -m kbert.train",
        description="Fine-tune a BERT encoder that knows a knowledge graph (K-BERT).",
        allow_abbrev=False,
    )
    return recipe_command.run(
        parser,
        arguments,
        command="kbert.train",
        add_flags=add_flags,
        read=settings_from,
        use=_train,
    )


def _train(settings: TrainSettings, resume: Resume) -> str:
    from kbert.finetune import default_output, finetune
    from kbert.run_page import report_on

    report = finetune(settings, resume=resume)
    report_on(settings.output or default_output(settings))
    return report.table()


if __name__ == "__main__":
    sys.exit(main())
