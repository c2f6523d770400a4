"""Before long work: can the output be written, is there room on the disk, and memory?

What certainly cannot be is refused in a line with the bytes that are needed and those that are
there; what will be tight is said. Sizes are estimated in `kbert.footprint`.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from kbert import console
from kbert.devices import Wish
from kbert.errors import RunError, SettingsError
from kbert.footprint import (
    NUMBER,
    Load,
    Memory,
    Sizes,
    encoder_parameters,
    least_bytes,
    training_memory,
)

if TYPE_CHECKING:
    from torch import nn

_BESIDE: Final = 16 << 20  # tokeniser, records, curves
_COPIES: Final = 2  # new weights are written beside the ones that they replace
_CHECKPOINTS: Final = 3  # a new one is written beside the two that stay
_MEMINFO: Final = Path("/proc/meminfo")
_GROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of memory: all that a process may ever have, and what is free now."""

    total: int
    free: int


class Plan(Wish, Protocol):
    """Settings of a training."""

    @property
    def checkpoint_steps(self) -> int:
        """Steps between two checkpoints, or 0."""

    @property
    def checkpoint_minutes(self) -> float:
        """Minutes between two checkpoints, or 0."""


def check_writable(path: Path) -> Path:
    """Return the folder that is there and will hold `path`; write to it, to see that it can be.

    Raises `RunError`.
    """
    try:
        parent = next(folder for folder in path.resolve().parents if folder.exists())
        probe = parent / f".{secrets.token_hex(8)}.probe"
        if parent.is_dir():
            probe.mkdir()
            probe.rmdir()
            return parent
    except PermissionError:
        pass
    except OSError as error:
        raise RunError(f"{path}: cannot be made: {error.strerror}") from None
    raise RunError(f"{path}: cannot be made: {parent} is not a folder that can be written to")


def check_folder(path: Path) -> None:
    """Refuse a folder to write into that is a file, or cannot be made. Raises `RunError`."""
    check_writable(path)
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file, and a folder is to be written; name another one")


def check_space(path: Path, *, needed: int) -> None:
    """Refuse an output for which the disk has not the bytes. Raises `RunError`."""
    free = shutil.disk_usage(check_writable(path)).free
    if needed > free:
        raise RunError(
            f"{path}: needs about {needed:,} bytes, but {free:,} are free on that disk; make room,"
            " or write elsewhere"
        )


def check_sizes(sizes: Sizes) -> None:
    """Refuse to train an encoder that no batch, however small, lets fit into memory.

    Of a GPU's memory nothing is known before it is used, so only the machine's own is compared,
    through which all weights go. Raises `SettingsError`.
    """
    room, parameters = machine_room(), encoder_parameters(sizes)
    needed = NUMBER * parameters
    if room is not None and needed > room.total:
        raise SettingsError(
            f"an encoder of {parameters:,} parameters: its weights take {needed:,} bytes, and this"
            f" machine has {room.total:,}; choose smaller --layers, --width or --feed-forward"
        )


def check_training(
    network: nn.Module, sizes: Sizes, load: Load, *, wish: Plan, output: Path, shards: int = 1
) -> None:
    """Compare what a training will need with what is there: disk and memory.

    The weights are shared out among `shards` devices. Raises `RunError` where they do not fit on
    the disk, `SettingsError` where weights, gradients and optimiser alone exceed all memory. A
    training that may not fit is warned of.
    """
    if not console.speaks():
        return
    parameters = sum(p.numel() for p in network.parameters())
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    weights = _COPIES * NUMBER * parameters + _BESIDE
    check_space(output, needed=weights)
    if wish.checkpoint_steps or wish.checkpoint_minutes:
        _check_checkpoints(output, needed=weights + _CHECKPOINTS * checkpoint_bytes(network))
    memory = training_memory(sizes, load, parameters=parameters, trained=trained)
    room, processes, where = _room_for(wish)
    if room is None:
        return
    least = processes * (NUMBER * (parameters - trained) + least_bytes(trained)) // shards
    if least > room.total:
        raise SettingsError(
            f"training {trained:,} parameters takes at least {least:,} bytes of memory, and"
            f" {where} has {room.total:,}; choose a smaller encoder, or --freeze-layers"
        )
    needed = processes * (memory.activations + (memory.total - memory.activations) // shards)
    if needed > room.free:
        console.say(_tight(memory, needed=needed, free=room.free, where=where))


def checkpoint_bytes(network: nn.Module) -> int:
    """Return about how much a checkpoint takes: all weights, and two means of those trained."""
    return NUMBER * sum(p.numel() * (3 if p.requires_grad else 1) for p in network.parameters())


def _check_checkpoints(path: Path, *, needed: int) -> None:
    """Say where checkpoints may not fit; a short training writes none, so it is not refused."""
    free = shutil.disk_usage(check_writable(path)).free
    if needed > free:
        console.say(
            f"note: with checkpoints the run takes up to about {needed:,} bytes, and {free:,} are"
            " free on that disk; a training goes on without those that cannot be written, but"
            " --resume then has no newer ones, so make room, or turn them off"
            " (--checkpoint-minutes 0 --checkpoint-steps 0)"
        )


def _tight(memory: Memory, *, needed: int, free: int, where: str) -> str:
    share = memory.activations / memory.total
    return (
        f"note: the training needs about {needed:,} bytes of memory, {share:.0%} of them for the"
        f" largest batch, and {free:,} are free on {where}; less --batch-tokens or --max-length"
        " needs less"
    )


def _room_for(wish: Wish) -> tuple[Room | None, int, str]:
    """Return the memory that a training will use, how many processes share it, and its name."""
    import torch

    if wish.accelerator != "cpu" and torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return Room(total, free), 1, "the GPU"
    return machine_room(), wish.devices, "this machine"


def machine_room() -> Room | None:
    """Return the machine's memory, swap included, or that of the container; None if unknown."""
    try:
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        size = {name: int(text.split()[0]) << 10 for name, text in fields.items() if text.split()}
        total = size["MemTotal"] + size.get("SwapTotal", 0)
        free = size["MemAvailable"] + size.get("SwapFree", 0)
    except (OSError, ValueError, KeyError, IndexError):
        return _room_elsewhere()
    return _within_group(Room(total, free))


def _within_group(room: Room) -> Room:
    """Lower the figures to what the container that this process is in may have.

    Pages of files that were read count as used there, but are given up as soon as they must be.
    """
    try:
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
        lines = map(str.split, (_GROUP / "memory.stat").read_text().splitlines())
        files = sum(int(size) for name, size in lines if name in ("active_file", "inactive_file"))
    except (OSError, ValueError):  # no such container, or one without a limit
        return room
    if limit >= room.total:
        return room
    return Room(limit, min(room.free, max(0, limit - used + files)))


def _room_elsewhere() -> Room | None:
    """Ask the system where there is no /proc; all of the memory counts as free."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    return Room(total, total)
