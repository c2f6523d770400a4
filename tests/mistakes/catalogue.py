"""All mistakes, in the order of the document; the tests make each of them."""

from __future__ import annotations

from typing import Final

from tests.mistakes import (
    of_graphs,
    of_judging,
    of_pretraining,
    of_settings,
    of_training,
    of_triples,
    of_use,
)
from tests.mistakes.place import Mistake

MISTAKES: Final[tuple[Mistake, ...]] = (
    *of_graphs.MISTAKES,
    *of_settings.MISTAKES,
    *of_training.MISTAKES,
    *of_use.MISTAKES,
    *of_pretraining.MISTAKES,
    *of_triples.MISTAKES,
    *of_judging.MISTAKES,
)
