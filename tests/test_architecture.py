"""The house rules that a file's text can break: who imports whom, and what an import does."""

from __future__ import annotations

import ast
import dataclasses
import graphlib
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kbert.flags import HELP
from kbert.pretraining.flags import HELP as PRETRAIN_HELP
from kbert.pretraining.settings import PretrainSettings
from kbert.settings import TrainSettings
from kgbert.flags import HELP as TRIPLE_HELP
from kgbert.settings import KnowledgeTrainSettings

REPOSITORY = Path(__file__).resolve().parent.parent
ORDER = ("graphs", "kbert", "kgbert", "benchmarks")
SHIPPED = ORDER[:3]
FILES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for package in ORDER
    for path in (REPOSITORY / package).rglob("*.py")
)

# Each library has one door: the files, or the folder, that may import it.
DOORS = {
    "datasets": ("kbert/hub.py", "kbert/pretraining/columns.py"),
    "huggingface_hub": ("kbert/nn/hub.py",),
    "lightning": (),
    "marisa_trie": ("graphs/name_trie.py",),
    "matplotlib": ("graphs/pictures.py", "kbert/run_pages/plots.py"),
    "networkx": (
        "graphs/networks.py",
        "kbert/tree.py",
        "kbert/tree_network.py",
    ),  # kbert: its types
    "pandas": (),
    "pyarrow": (
        "graphs/export.py",
        "kbert/pretraining/columns.py",
        "kbert/tables.py",
        "kgbert/rank_files.py",
    ),
    "pyoxigraph": ("graphs/syntax/oxigraph.py",),
    "pytorch_lightning": (
        "kbert/core.py",
        "kbert/driver.py",
        "kbert/pretraining/training.py",
        "kbert/processes.py",
    ),
    "rdflib": ("graphs/rdf.py",),
    "safetensors": ("kbert/checkpoints.py", "kbert/nn/"),
    "scipy": ("graphs/statistics.py",),
    "sklearn": (
        "graphs/similar.py",
        "kbert/metrics.py",
        "kgbert/calibration.py",
        "kgbert/classification.py",
    ),
    "tokenizers": ("kbert/tokenizer.py", "kbert/vocabulary.py"),
    "transformers": (),
    "xxhash": ("graphs/compiled/folder.py", "graphs/interning.py", "graphs/strings.py"),
    "zstandard": ("graphs/decompression.py",),
}
CODE_RUNNERS = {
    "eval", "exec", "pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load", "joblib.load",
    "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "marshal.loads",
    "cloudpickle.load",
}  # fmt: skip


class Import(NamedTuple):
    """One imported module, by its full name, and when it is imported."""

    module: str
    at_start: bool
    for_types: bool


def imports(source: str, *, module: str, is_package: bool = False) -> list[Import]:
    """List the imports of a file, those within functions and `if TYPE_CHECKING` as well."""
    found: list[Import] = []

    def visit(node: ast.AST, *, at_start: bool, for_types: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for guarded in node.body:
                visit(guarded, at_start=False, for_types=True)
            for other in node.orelse:
                visit(other, at_start=at_start, for_types=for_types)
            return
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, at_start, for_types) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: None if is_package and node.level == 1 else -node.level]
            base = ".".join([*parents, node.module or ""]).strip(".") if node.level else node.module
            found.extend(
                Import(f"{base}.{alias.name}", at_start, for_types) for alias in node.names
            )
        inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, at_start=at_start and not inner, for_types=for_types)

    visit(ast.parse(source), at_start=True, for_types=False)
    return found


def name_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of(file: str) -> list[Import]:
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    return imports(source, module=name_of(file), is_package=file.endswith("__init__.py"))


def calls(source: str) -> set[str]:
    """Name every function that a file calls, as it is written there."""
    nodes = ast.walk(ast.parse(source))
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


def uses(file: str, library: str) -> bool:
    return any(each.module.split(".")[0] == library for each in imports_of(file))


def test_the_scanner_sees_what_there_is() -> None:
    source = """
import a.b, c
from . import d
from .e import f
from ..g import h
if TYPE_CHECKING:
    import i
else:
    import j
class K:
    import l
    def m(self):
        from n import o
        torch.load(p)
        eval("1")
"""
    found = {each.module: (each.at_start, each.for_types) for each in imports(source, module="x.y")}
    assert found == {
        "a.b": (True, False), "c": (True, False), "x.d": (True, False), "x.e.f": (True, False),
        "g.h": (True, False), "i": (False, True), "j": (True, False), "l": (True, False),
        "n.o": (False, False),
    }  # fmt: skip
    assert [each.module for each in imports("from .a import b", module="x", is_package=True)] == [
        "x.a.b"
    ]
    assert calls(source) == {"torch.load", "eval"}
    assert len(FILES) > 40


def test_imports_run_one_way() -> None:
    for file in FILES:
        package = file.split("/")[0]
        allowed = ORDER[: ORDER.index(package) + 1]
        for each in imports_of(file):
            target = each.module.split(".")[0]
            assert target not in ORDER or target in allowed, f"{file} imports {each.module}"
            assert target != "tests", f"{file} imports the tests"


def test_only_the_command_knows_the_command_layer() -> None:
    users = {
        file
        for file in FILES
        if any(each.module.startswith("graphs.commands") for each in imports_of(file))
    }
    assert "graphs/__main__.py" in users
    outside = {file for file in users if not file.startswith("graphs/commands/")}
    assert outside == {"graphs/__main__.py"}


def test_no_module_needs_itself_to_be_imported() -> None:
    """The modules can be sorted so that each comes after all that it imports at its start."""
    modules = {name_of(file) for file in FILES}
    needs: dict[str, set[str]] = {}
    for file in FILES:
        named = [each.module for each in imports_of(file) if each.at_start]
        parents = {module.rpartition(".")[0] for module in named}
        needs[name_of(file)] = (parents.difference(ORDER) | set(named)) & modules
        # From a package come its modules, or what its __init__ holds.
        needs[name_of(file)] |= {
            parent
            for parent, _, name in (module.rpartition(".") for module in named)
            if parent in ORDER and f"{parent}.{name}" not in modules
        }
    assert "graphs.triple" in needs["graphs.store"] and "graphs" in needs["kbert.inject"]
    ordered = list(graphlib.TopologicalSorter(needs).static_order())
    assert len(ordered) == len(modules)


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_library_has_one_door(library: str) -> None:
    users = [file for file in FILES if file.split("/")[0] in SHIPPED and uses(file, library)]
    assert [file for file in users if not file.startswith(DOORS[library])] == []


def test_every_door_that_exists_is_used() -> None:
    """A door that nobody goes through would make the test above prove nothing."""
    for library, places in DOORS.items():
        for place in places:
            files = [file for file in FILES if file.startswith(place)]
            assert not files or any(uses(file, library) for file in files), f"{library}: {place}"


def test_graphs_know_nothing_of_learning() -> None:
    for file in FILES:
        if file.startswith("graphs/"):
            assert not uses(file, "torch"), file
            assert not uses(file, "tokenizers"), file


def test_trees_and_their_visibility_need_no_torch() -> None:
    code = (
        "import sys, kbert.inject, kbert.nn.visibility, kbert.tree, kbert.flags, kbert.settings\n"
        "import kbert.pretrain, kgbert.train\n"
        "sys.exit(bool({'torch', 'pytorch_lightning', 'datasets'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    top = [each for each in imports_of("kbert/tree.py") if not each.for_types]
    assert not any(each.module.split(".")[0] == "torch" for each in top)


def test_no_file_runs_code_that_it_reads() -> None:
    for file in FILES:
        source = (REPOSITORY / file).read_text(encoding="utf-8")
        assert CODE_RUNNERS.isdisjoint(calls(source)), file
        assert not any(call.endswith(".load_from_checkpoint") for call in calls(source)), file
        assert not any(uses(file, module) for module in ("pickle", "marshal", "shelve")), file


QUIET_IMPORT = """
import sys
opened, root = set(), sys.argv.pop()
sys.argv[1:] = ["--nonsense"]
sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
import graphs, kbert, kgbert
import logging
ours = {path for path in opened if path.startswith(root) and not path.endswith((".py", ".pyc"))}
ours -= {path for path in ours if ".pyc." in path}  # being written for the first time
print(sorted(ours), logging.getLogger().handlers, logging.getLogger("kbert").handlers)
print(sorted({"torch", "pytorch_lightning", "datasets", "sklearn"} & sys.modules.keys()))
assert {path for path in opened if path.startswith(root)}, "the hook saw nothing"
"""


def test_importing_the_packages_does_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUIET_IMPORT, str(REPOSITORY)],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "[] [] []\n[]\n"
    assert done.stderr == ""


@pytest.mark.parametrize("package", [*SHIPPED, "kbert.nn"])
def test_public_names_are_listed_exist_and_are_explained(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    assert list(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        value = getattr(module, name)
        assert inspect.getdoc(value), f"{package}.{name} has no docstring"
        assert name in dir(module)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        module.nonsense  # noqa: B018


def test_public_names_for_types_are_those_at_run_time() -> None:
    """A package that loads its names late tells type checkers of each."""
    for package in ("kbert", "kbert.nn"):
        file = package.replace(".", "/") + "/__init__.py"
        typed = {each.module.rpartition(".")[2] for each in imports_of(file) if each.for_types}
        assert typed == set(importlib.import_module(package).__all__)


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        (TrainSettings, HELP),
        (PretrainSettings, PRETRAIN_HELP),
        (KnowledgeTrainSettings, TRIPLE_HELP),
    ],
)
def test_every_setting_is_explained_once(
    settings: type[Any], texts: dict[str, dict[str, str]]
) -> None:
    explained = [name for group in texts.values() for name in group]
    assert sorted(explained) == sorted(field.name for field in dataclasses.fields(settings))
    assert all(text.strip() for group in texts.values() for text in group.values())
