"""Does any input break the graphs package? Damaged graphs by the thousand, and what must hold.

`python -m benchmarks.fuzz_graphs --minutes 10 --seed 0` makes graphs of every format, plain and
compressed, published folders and compiled ones, damages them (`hostile_cases`) and puts each
through reading, storing, compiling, linking, exporting and the commands (`hostile_checks`). Each
must be refused in one line that names the file, or be right. Cases run in child processes with a
limit of time and memory; a child may reach no network and write nothing outside its folder. What
breaks a rule is saved with its input; `--only N` runs one case again, and shows where it fails.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import graphs
from benchmarks.hostile import DOCUMENTS
from benchmarks.hostile_cases import Compiled, compiled_graphs, make_case
from benchmarks.hostile_children import Child, Plan, Verdict, run_case
from benchmarks.report import RESULTS, environment, portable, table, write_result
from graphs.readers import read_triples

MINUTES: Final = 10.0
_BATCH: Final = 250  # cases of a child
_SAVED: Final = 3  # inputs that are kept of each kind of finding


@dataclass
class Tally:
    """Count what came of the cases."""

    seconds: float = 0.0
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    findings: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0

    @property
    def cases(self) -> int:
        """Return the number of cases."""
        return sum(counts.total() for counts in self.outcomes.values())

    def add(self, verdict: Verdict) -> None:
        """Count a verdict."""
        self.outcomes.setdefault(verdict.form, Counter())[verdict.outcome] += 1
        self.slowest = max(self.slowest, verdict.seconds)
        if verdict.outcome == "finding":
            self.findings[verdict.signature] += 1
            self.first.setdefault(verdict.signature, verdict.number)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "cases": self.cases,
            "seconds": self.seconds,
            "cases_per_second": self.cases / max(self.seconds, 1e-9),
            "slowest_case_seconds": self.slowest,
            "outcomes": {form: dict(self.outcomes[form]) for form in sorted(self.outcomes)},
            "findings": [
                {"what": what, "cases": count, "first": self.first[what]}
                for what, count in self.findings.most_common()
            ],
        }


def fuzz(
    *, seed: int, minutes: float, cases: int | None, first: int, limit_s: float, findings: Path
) -> Tally:
    """Run cases from `first` on, until so many are done or the time is over."""
    tally, start = Tally(), time.monotonic()
    deadline = start + 60 * minutes
    stop = None if cases is None else first + cases
    with tempfile.TemporaryDirectory(prefix="fuzz-graphs-") as scratch:
        compiled = compiled_graphs(_made(Path(scratch) / "sound"))
        _warm_up(Path(scratch) / "sound")
        number = first
        while number != stop and time.monotonic() < deadline:
            end = number + _BATCH if stop is None else min(number + _BATCH, stop)
            plan = Plan(_made(Path(scratch) / "work"), seed, compiled, limit_s, deadline)
            child = Child(range(number, end), plan=plan)
            for verdict in child.verdicts():
                tally.add(verdict)
                number = verdict.number + 1
                if verdict.outcome == "finding":
                    _save(verdict, tally=tally, findings=findings, seed=seed, compiled=compiled)
    tally.seconds = time.monotonic() - start
    return tally


def _made(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _warm_up(folder: Path) -> None:
    """Import once, rather than in each child, the package and what reading needs."""
    for module in pkgutil.walk_packages(graphs.__path__, "graphs."):
        importlib.import_module(module.name)
    for form, document in DOCUMENTS.items():
        path = folder / f"warm.{form}"
        path.write_bytes(document)
        assert list(read_triples(path)), form


def _save(
    verdict: Verdict, *, tally: Tally, findings: Path, seed: int, compiled: tuple[Compiled, ...]
) -> None:
    """Say what was found, and keep the input of the first few of its kind."""
    if tally.findings[verdict.signature] > _SAVED:
        return
    case = make_case(verdict.number, seed=seed, compiled=compiled)
    folder = findings / f"{seed}-{case.number}"
    for name, data in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    about = {"target": case.target, "how": case.how, **verdict._asdict()}
    (folder / "finding.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    how = ", ".join(case.how) or "sound"
    print(f"case {case.number} ({case.target}: {how}):\n  {verdict.signature}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_graphs", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="default: 10")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--cases", type=int, help="stop after so many cases: a trial")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="begin with this case")
    parser.add_argument("--only", type=int, metavar="N", help="run this case alone, here")
    parser.add_argument("--limit", type=float, default=10, help="seconds a case (default: 10)")
    parser.add_argument(
        "--findings", type=Path, metavar="FOLDER", help="where inputs are kept (default: a new one)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(given)
    if options.only is not None:
        return _again(options.only, seed=options.seed)
    findings = options.findings or Path(tempfile.mkdtemp(prefix="fuzz-graphs-findings-"))
    tally = fuzz(
        seed=options.seed,
        minutes=options.minutes,
        cases=options.cases,
        first=options.first,
        limit_s=options.limit,
        findings=findings,
    )
    _print(tally)
    if tally.findings:
        print(f"inputs: {findings}")
    if options.cases is None and not options.first and options.minutes >= MINUTES:
        names = {"FINDINGS": str(findings), "RESULTS": str(options.results)}
        command = [portable(argument, names) for argument in given]
        about = {"environment": environment("fuzz_graphs", command), "seed": options.seed}
        write_result("fuzz_graphs", about | tally.to_dict(), folder=options.results)
    return 1 if tally.findings else 0


def _again(number: int, *, seed: int) -> int:
    """Run one case where a traceback is of use."""
    with tempfile.TemporaryDirectory(prefix="fuzz-graphs-") as scratch:
        compiled = compiled_graphs(_made(Path(scratch) / "sound"))
        case = make_case(number, seed=seed, compiled=compiled)
        print(f"case {number}, {case.target}: {', '.join(case.how) or 'sound'}")
        print(run_case(case, folder=_made(Path(scratch) / "work"), seed=seed))
    return 0


def _print(tally: Tally) -> None:
    names = ("read", "empty", "refused", "finding")
    rows = [["form", *names]]
    for form in sorted(tally.outcomes):
        rows.append([form, *(str(tally.outcomes[form][name]) for name in names)])
    print(table(rows))
    rate = tally.cases / max(tally.seconds, 1e-9)
    print(f"{tally.cases} cases, {rate:.1f} a second, the slowest took {tally.slowest:.1f} s")
    for what, count in tally.findings.most_common():
        print(f"finding: {count} cases, the first {tally.first[what]}: {what}")


if __name__ == "__main__":
    sys.exit(main())
