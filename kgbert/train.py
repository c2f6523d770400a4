"""`python -m kgbert.train --dataset NAME|FOLDER`: from triples with texts to a model of them.

Read settings, check them; load the data; train on true triples and fresh negatives with a
validation each epoch; write the run folder whole. `--help` needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kbert import console, recipe_command
from kgbert.flags import add_flags
from kgbert.settings import KnowledgeTrainSettings, settings_from

if TYPE_CHECKING:
    from kbert.resuming import Resume


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(
        prog="python -m kgbert.train",
        description="Train a BERT encoder on the triples of a knowledge graph (KG-BERT).",
        allow_abbrev=False,
    )
    return recipe_command.run(
        parser,
        arguments,
        command="kgbert.train",
        add_flags=add_flags,
        read=settings_from,
        use=_train,
    )


def _train(settings: KnowledgeTrainSettings, resume: Resume) -> str:
    from kgbert.run_page import report_on
    from kgbert.training import default_output, train

    report = train(settings, resume=resume)
    report_on(settings.output or default_output(settings))
    return report.table()


if __name__ == "__main__":
    sys.exit(main())
