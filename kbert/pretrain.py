"""`python -m kbert.pretrain --corpus FOLDER`: from texts to a BERT that others can build on.

Read settings, check them; open the corpus, or tokenise the texts; train through the phases with a
validation now and then; write the run folder whole. `--help` needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kbert import console, recipe_command
from kbert.pretraining.flags import add_flags
from kbert.pretraining.settings import PretrainSettings, settings_from

if TYPE_CHECKING:
    from kbert.resuming import Resume


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = console.Parser(
        prog="python -m kbert.pretrain",
        description="Pre-train a BERT encoder: masked tokens, and how two sentences relate.",
        allow_abbrev=False,
    )
    return recipe_command.run(
        parser,
        arguments,
        command="kbert.pretrain",
        add_flags=add_flags,
        read=settings_from,
        use=_pretrain,
    )


def _pretrain(settings: PretrainSettings, resume: Resume) -> str:
    from kbert.pretraining.run import default_output, pretrain
    from kbert.run_page import report_on

    report = pretrain(settings, resume=resume)
    report_on(settings.output or default_output(settings))
    return report.table()


if __name__ == "__main__":
    sys.exit(main())
