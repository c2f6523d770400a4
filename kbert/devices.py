"""Which devices there are: those that training and prediction ask for, or a line that says no.

Checked before anything is read or written, and in our words. Nothing is chosen here.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Protocol

import torch

from kbert.errors import DataError, SettingsError


class Wish(Protocol):
    """Settings that ask for devices."""

    @property
    def accelerator(self) -> str:
        """`auto`, `cpu` or `gpu`."""

    @property
    def devices(self) -> int:
        """How many."""


def check_devices(settings: Wish) -> None:
    """Refuse devices that this machine does not have. Raises `SettingsError`."""
    found = torch.cuda.device_count()
    if settings.accelerator == "gpu" and not found:
        raise SettingsError("--accelerator gpu: this machine has no GPU that torch can use")
    if settings.accelerator == "auto" and not found and settings.devices > 1:
        raise SettingsError(
            f"--devices {settings.devices}: this machine has no GPU; for that many CPU processes"
            " say --accelerator cpu as well"
        )
    if settings.accelerator != "cpu" and found and settings.devices > found:
        raise SettingsError(f"--devices {settings.devices}: this machine has {found} GPUs")


def check_compiler(settings: Wish) -> None:
    """Refuse to compile for the CPU where there is no C++ compiler. Raises `SettingsError`.

    Torch would say so as well, but in the first step, which may be hours later.
    """
    if settings.accelerator != "cpu" and torch.cuda.is_available():
        return
    wanted = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(wanted) is None:
        raise SettingsError(
            f"--compile: there is no C++ compiler {wanted!r}; install one, name it with the"
            " environment variable CXX, or leave the flag out"
        )


def check_device(name: str) -> str:
    """Return the name of a device to predict on: `cpu`, `cuda` or `cuda:N`.

    Raises `DataError` for another name, and for a GPU that this machine does not have.
    """
    if name == "cpu":
        return name
    form = re.fullmatch(r"cuda(?::(0|[1-9]\d{0,8}))?", name, re.ASCII)
    if form is None:
        raise DataError(f"--device must be cpu, cuda or cuda:N, was {name!r}")
    found = torch.cuda.device_count()
    if not found:
        raise DataError(f"--device {name}: this machine has no GPU that torch can use")
    if int(form[1] or 0) >= found:
        raise DataError(f"--device {name}: this machine has {found} GPUs, from cuda:0 on")
    return name
