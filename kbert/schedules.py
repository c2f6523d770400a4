"""How the learning rate goes over a training: the share of its peak at each optimiser step.

All schedules rise linearly over the warm-up, w of T steps, and differ in what follows:

    linear     falls linearly to 0 (Devlin et al. 2019, appendix A.3)
    slanted    falls linearly to 1/32, where it also began (Howard & Ruder 2018, section 3.2)
    cosine     falls to 0 along half a cosine (Loshchilov & Hutter 2017, without restarts)
    constant   stays at its peak
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

Schedule: TypeAlias = Literal["linear", "slanted", "cosine", "constant"]
_SLANT: Final = 32  # how much lower than the peak the slanted triangle begins and ends


def rate_factor(schedule: Schedule, step: int, *, warmup: int, total: int) -> float:
    """Return the share of the peak rate, 0 to 1, at an optimiser step (from 0) of `total`.

    The first step of a warm-up has 1/`warmup` of the peak and the last one all of it; the slanted
    triangle, as published, begins at 1/32 and peaks at step `warmup`, its paper's `cut`.
    """
    fallen = min(1.0, max(0.0, (step - warmup) / max(1, total - warmup)))
    if schedule == "slanted":
        height = step / warmup if step < warmup else 1.0 - fallen
        return (1.0 + height * (_SLANT - 1)) / _SLANT
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * fallen))
    return max(0.0, (total - step) / max(1, total - warmup))
