"""Read which tensors a PyTorch pickle names, without running anything that it says.

A pickle is a program for a small machine whose instructions can call any function of Python. The
machine here knows numbers, strings, tuples, lists and dictionaries, and of functions those that
name a tensor, which it does not call: it notes where the tensor's numbers are. Whatever else the
program asks for ends the reading. The instructions are taken apart by `pickletools`, which runs
none of them. Formats: torch/serialization.py; the opcodes of pickle protocol 0 to 4.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, NamedTuple

# Storage types and the bytes of one of their numbers.
STORAGES: Final = {
    "BFloat16Storage": 2,
    "BoolStorage": 1,
    "ByteStorage": 1,
    "CharStorage": 1,
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "IntStorage": 4,
    "LongStorage": 8,
    "ShortStorage": 2,
}
_MOST_DIMENSIONS: Final = 8
_CONSTANTS: Final = ("BINFLOAT", "BININT", "BININT1", "BININT2", "LONG1")
_TEXTS: Final = ("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING")
_NAMED: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_SILENT: Final = ("PROTO", "FRAME")


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers in the file: its type, its name there, and how many numbers it has."""

    kind: str
    key: str
    numbers: int

    @property
    def bytes(self) -> int:
        """Return its size."""
        return STORAGES[self.kind] * self.numbers


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor: which numbers of a storage it shows, in which shape; it shows none twice over."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Return its size when it is copied."""
        return STORAGES[self.storage.kind] * math.prod(self.size)


class _Name(NamedTuple):
    """A function or class that the program names; nothing is imported for it."""

    module: str
    name: str


class _Mark:
    """Where a run of items begins on the stack."""


def read_program(stream: BytesIO) -> Any:
    """Return what one pickle builds: plain values, and a `Stored` for each tensor.

    The stream stands behind the pickle then. Raises `ValueError` in one line for a pickle that is
    broken, or asks for anything but tensors.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                (value,) = machine.stack
                return value
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise ValueError(f"the pickle is broken ({type(error).__name__})") from None
    except UnicodeDecodeError:
        raise ValueError("the pickle is broken (text that is not UTF-8)") from None
    raise ValueError("the pickle is broken (it has no end)")


class _Machine:
    """A stack and a memory; an instruction that is not named here does not exist."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}
        self._does: dict[str, Callable[[Any], None]] = {
            "MARK": lambda _: self.stack.append(_Mark),
            "EMPTY_DICT": lambda _: self.stack.append({}),
            "EMPTY_LIST": lambda _: self.stack.append([]),
            "EMPTY_TUPLE": lambda _: self.stack.append(()),
            "TUPLE": lambda _: self.stack.append(tuple(self._items())),
            "TUPLE1": lambda _: self._tuple(1),
            "TUPLE2": lambda _: self._tuple(2),
            "TUPLE3": lambda _: self._tuple(3),
            "APPEND": lambda _: self._extend([self.stack.pop()]),
            "APPENDS": lambda _: self._extend(self._items()),
            "SETITEM": lambda _: self._fill([self.stack.pop(-2), self.stack.pop()]),
            "SETITEMS": lambda _: self._fill(self._items()),
            "GLOBAL": self._name,
            "BINPERSID": lambda _: self.stack.append(_storage(self.stack.pop())),
            "REDUCE": lambda _: self._call(),
            "BUILD": lambda _: self._attributes(),
            "MEMOIZE": lambda _: self._remember(len(self.memory)),
            **dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._remember),
            **dict.fromkeys(("BINGET", "LONG_BINGET"), self._recall),
        }

    def step(self, name: str, argument: Any) -> None:
        """Do one instruction. Raises `ValueError` for one that tensors do not need."""
        if name in _CONSTANTS or name in _TEXTS:
            self.stack.append(argument)
        elif name in _NAMED:
            self.stack.append(_NAMED[name])
        elif name in self._does:
            self._does[name](argument)
        elif name not in _SILENT:
            raise ValueError(f"the pickle asks for {name}, which no tensor needs")

    def _items(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _Mark:
            at -= 1
            if at < 0:
                raise IndexError
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _tuple(self, size: int) -> None:
        items = tuple(self.stack[-size:])
        if len(items) != size or _Mark in items[:1]:
            raise IndexError
        self.stack[-size:] = [items]

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError
        target += items

    def _fill(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        # A deeply nested tuple as a key would be hashed by recursion, past the end of the stack.
        if type(target) is not dict or len(items) % 2:
            raise TypeError
        if not all(isinstance(key, str | int) for key in keys):
            raise ValueError("the pickle has a dictionary whose keys are no strings")
        target.update(zip(keys, items[1::2], strict=True))

    def _name(self, argument: str) -> None:
        found = _Name(*argument.split(" ", 1))
        if found not in _KNOWN and not (found.module == "torch" and found.name in STORAGES):
            raise ValueError(f"the pickle asks for {'.'.join(found)}, which is no tensor")
        self.stack.append(found)

    def _call(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or name not in _KNOWN or type(arguments) is not tuple:
            raise ValueError("the pickle calls what is no function of tensors")
        self.stack.append(_KNOWN[name](arguments))

    def _attributes(self) -> None:
        """Leave out the attributes of a dictionary: versions of PyTorch modules."""
        if not isinstance(self.stack.pop(), dict) or type(self.stack[-1]) is not dict:
            raise ValueError("the pickle sets attributes of what is no dictionary")

    def _remember(self, number: int) -> None:
        self.memory[number] = self.stack[-1]

    def _recall(self, number: int) -> None:
        self.stack.append(self.memory[number])


def _storage(parts: Any) -> Storage:
    """Take a storage by its persistent id: ('storage', type, key, device, numbers[, None])."""
    if type(parts) is not tuple or len(parts) not in (5, 6) or parts[5:] not in ((), (None,)):
        raise ValueError("the pickle refers to something that is no plain storage")
    word, kind, key, _, numbers = parts[:5]
    if word != "storage" or not isinstance(kind, _Name) or kind.name not in STORAGES:
        raise ValueError("the pickle refers to something that is no storage of numbers")
    if not isinstance(key, str) or not _is_count(numbers):
        raise ValueError("the pickle refers to a storage without name or size")
    return Storage(kind.name, key, numbers)


def _tensor(arguments: tuple[Any, ...]) -> Stored:
    """Note a tensor (`torch._utils._rebuild_tensor_v2`); its numbers must be in its storage."""
    if len(arguments) < 4:
        raise ValueError("the pickle has a tensor without size")
    storage, offset, size, stride = arguments[:4]
    for part in (size, stride):
        if type(part) is not tuple or len(part) > _MOST_DIMENSIONS or not all(map(_is_count, part)):
            raise ValueError("the pickle has a tensor of no shape")
    if not isinstance(storage, Storage) or not _is_count(offset) or len(size) != len(stride):
        raise ValueError("the pickle has a tensor of no storage")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and (last >= storage.numbers or math.prod(size) > storage.numbers):
        raise ValueError(f"the pickle has a tensor of shape {size} in {storage.numbers} numbers")
    return Stored(storage, offset, size, stride)


def _parameter(arguments: tuple[Any, ...]) -> Stored:
    if not arguments or not isinstance(arguments[0], Stored):
        raise ValueError("the pickle has a parameter that is no tensor")
    return arguments[0]


def _ordered(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise ValueError("the pickle has a dictionary of another writer")
    return {}


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


_KNOWN: Final[dict[_Name, Callable[[tuple[Any, ...]], Any]]] = {
    _Name("collections", "OrderedDict"): _ordered,
    _Name("torch._utils", "_rebuild_parameter"): _parameter,
    _Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
}
