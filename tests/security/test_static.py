"""No file of the packages calls what runs code that it reads; the threat model names real tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FILES = sorted(
    path for name in ("graphs", "kbert", "kgbert") for path in (REPOSITORY / name).rglob("*.py")
)
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
NAMES = {"eval", "exec", "__import__", "execfile"}
ATTRIBUTES = {
    "os.system", "os.popen", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load",
    "yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader", "numpy.load", "np.load",
    "torch.jit.load", "torch.package.PackageImporter", "pandas.read_pickle", "runpy.run_path",
}  # fmt: skip


def faults(source: str) -> list[str]:
    """Name what a file imports or uses that runs code from a file, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            found += [f"{line}: {a.name}" for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(f"{line}: {node.module}")
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ATTRIBUTES:
            found.append(f"{line}: {ast.unparse(node)}")
        elif isinstance(node, ast.Call):
            found += [f"{line}: {called}" for called in _called(node)]
    return found


def _called(node: ast.Call) -> list[str]:
    called = ast.unparse(node.func)
    options = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if called in NAMES:
        return [called]
    if called == "torch.load" and options.get("weights_only") != "True":
        return ["torch.load without weights_only=True"]
    if options.get("allow_pickle", "False") != "False":
        return [f"{called} with allow_pickle"]
    if options.get("shell", "False") != "False":
        return [f"{called} with a shell"]
    return []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "import dill.x", "eval('1')", "exec(a)",
        "yaml.load(a)", "yaml.load(a, Loader=yaml.SafeLoader)", "x = yaml.UnsafeLoader",
        "torch.load(a)", "torch.load(a, weights_only=False)", "torch.load(a, weights_only=x)",
        "np.load(a)", "f(a, allow_pickle=True)", "os.system(a)", "subprocess.run(a, shell=True)",
        "def f():\n    import marshal", "__import__(a)",
    ],
)  # fmt: skip
def test_the_scanner_sees_each(source: str) -> None:
    assert len(faults(source)) >= 1


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(a, weights_only=True)", "import pickletools", "yaml.safe_dump(a)",
        "model.eval()", "re.compile(a)", "compile(a)", "f(allow_pickle=False)",
    ],
)  # fmt: skip
def test_the_scanner_leaves_alone_what_is_harmless(source: str) -> None:
    assert faults(source) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(REPOSITORY).as_posix())
def test_nothing_that_runs_code_is_called(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


def test_each_promise_has_its_test() -> None:
    """The threat model names tests that exist."""
    text = (REPOSITORY / "docs" / "threat-model.md").read_text(encoding="utf-8")
    file, count = "", 0
    for name, test in re.findall(r"`([\w/]+\.py)?(?:::(test_\w+))?`", text):
        file = name or file
        if not name and not test:
            continue
        if name == "tests/confinement.py":
            continue
        source = (REPOSITORY / "tests" / file).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in source, f"{file}::{test}"
        count += bool(test)
    assert count > 20
