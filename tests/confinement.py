"""Fail every test that reaches a network, starts a strange process, or writes outside its folder.

A test that talks to a server of its own on this machine is marked `localhost`; one that is marked
`browser` may start the browser, which can reach no host either. Temporary files of libraries go
into the folder of the test run. Python processes that tests start are watched too, unless they are
given an environment without PYTHONPATH; what they are refused fails the test.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from benchmarks.chromium import find_chromium
from tests.confined import confined_watch
from tests.confined.confined_watch import BROWSER, FOLDERS, LOCALHOST, REPORT, Watch

_HOME = Path(confined_watch.__file__).parent
_WATCH: list[Watch] = []


@pytest.hookimpl(trylast=True)  # when there is a folder of the run
def pytest_configure(config: pytest.Config) -> None:
    """Install the hook, and send what libraries write into the folder of the run."""
    config.addinivalue_line("markers", "localhost: talks to a server of its own on this machine")
    if not hasattr(config, "workerinput") and getattr(config.option, "dist", "no") != "no":
        return  # tests run in other processes, each of which installs a hook of its own
    base = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    temporary = base / "temporary"
    temporary.mkdir(exist_ok=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
    set_hypothesis_home_dir(base / "hypothesis")  # its tables of characters
    folders = [str(base), *_caches()]
    os.environ[FOLDERS] = os.pathsep.join(folders)
    os.environ[REPORT] = str(base / "refused")
    paths = [str(_HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    watch = Watch(folders)
    _WATCH.append(watch)
    sys.addaudithook(watch)


def _caches() -> list[str]:
    """List where libraries keep what they would make anew in each run: fonts of matplotlib."""
    return [str(Path(f"~/{place}/matplotlib").expanduser()) for place in (".cache", ".config")]


def _watched(item: pytest.Item) -> Generator[None, object, object]:
    """Watch one phase of a test; what was refused fails it, whoever caught the error."""
    watch, report = _WATCH[-1], Path(os.environ[REPORT])
    watch.localhost = item.get_closest_marker("localhost") is not None
    if watch.localhost:
        os.environ[LOCALHOST] = "1"
    if item.get_closest_marker("browser") is not None:
        os.environ[BROWSER] = find_chromium() or ""
    watch.active = True
    try:
        result = yield
    finally:
        watch.active = False
        os.environ.pop(LOCALHOST, None)
        os.environ.pop(BROWSER, None)
        refused, watch.refused = watch.refused, []
        if report.exists():
            refused += [f"in a child: {line}" for line in report.read_text().splitlines()]
            report.unlink()
        if refused:
            lines = "\n".join(dict.fromkeys(refused))
            raise AssertionError(f"a test must not do this:\n{lines}")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the fixtures."""
    return (yield from _watched(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the test."""
    return (yield from _watched(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the end of fixtures."""
    return (yield from _watched(item))
