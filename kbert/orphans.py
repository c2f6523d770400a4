"""A process of a distributed training ends when the one that started it is gone.

Lightning ends its children when it ends; one that was killed ends nobody, and its children would
wait for it for half an hour, with their memory and devices.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

_EVERY: Final = 1.0  # seconds


def end_with(parent: int) -> None:
    """Watch the parent, by its process id, and end this process at once when it is gone."""
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY)
    os._exit(1)
