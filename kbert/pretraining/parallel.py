"""Apply a function to a stream in several processes, keeping the order of the stream.

Item i goes to process i modulo their number, and its result is taken from there in turn: the order
needs no sorting, and no more than one item a process is on its way. A process is given its next
item only after its result was taken, so that neither side can wait for the other.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

from kbert.errors import KbertError, RunError

Item = TypeVar("Item")
Result = TypeVar("Result")

_GONE: Final = "a worker process ended by itself; was there too little memory? try fewer workers"


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item, in order, from `workers` processes (1: from this one).

    The function goes to each process once, so that what it remembers there stays. `KbertError`s
    that it raises are raised here, the first in the order of items; close the generator to end the
    processes early. Raises `RunError` where a process was killed.
    """
    if workers == 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    connections: list[Connection] = []
    processes = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, function), daemon=True)
            with _uninterrupted():
                process.start()
            theirs.close()
            connections.append(ours)
            processes.append(process)
        with closing(_exchange(connections, items)) as results:
            yield from results
    finally:
        for connection in connections:
            connection.close()
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold an interrupt back; a process that is started here never gets one, even as it starts."""
    resource_tracker.ensure_running()  # or else it is started here, and lets interrupts through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exchange(connections: list[Connection], items: Iterable[Item]) -> Generator[Any, None, None]:
    """Hand out items and yield results, both in turn."""
    count, sent, received = len(connections), 0, 0
    try:
        for item in items:
            connection = connections[sent % count]
            done = [_result(connection)] if sent - received == count else []
            connection.send(item)  # before its result is used here, so that it need not wait
            sent, received = sent + 1, received + len(done)
            yield from done
        while received < sent:
            yield _result(connections[received % count])
            received += 1
    except (EOFError, ConnectionError):
        raise RunError(_GONE) from None


def _result(connection: Connection) -> Any:
    result = connection.recv()
    if isinstance(result, KbertError):
        raise result
    return result


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """Answer items until nobody sends any more."""
    with suppress(EOFError, ConnectionError):
        while True:
            item = connection.recv()
            try:
                result: Any = function(item)
            except KbertError as error:
                result = error
            connection.send(result)
