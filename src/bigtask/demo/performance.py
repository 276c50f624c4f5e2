"""What the scripted workers of the demonstration do, as a script for the `scripted` agent.

conventions ─┬─ test-money ───┬─ overview
             ├─ test-entries ─┤   (its first attempt is wrong: a check that bigtask runs finds it)
             ├─ test-report ──┤
             ├─ page-money ───┤
             └─ page-report ──┘   (asks once for a permission)
"""

from __future__ import annotations

from typing import Any

from bigtask.demo.sample import material

REQUEST = "Write the missing tests and a page of documentation for every module"
WORKERS = 4

_PAUSE_S = 0.8
_Step = dict[str, Any]


def performance(python: str, *, pace: float = 1.0) -> dict[str, Any]:
    """`python` is the interpreter that the checks use; `pace` is multiplied with every delay."""
    tasks = [
        _task(
            "conventions",
            "Agree on how tests and pages are written",
            ["docs/conventions.md", "tests/__init__.py"],
        ),
        _test("money", python),
        _test("entries", python),
        _test("report", python),
        _task(
            "page-money",
            "Document amounts and entries",
            ["docs/money.md", "docs/entries.md"],
            dependencies=["conventions"],
        ),
        _task("page-report", "Document the report", ["docs/report.md"], dependencies=["conventions"]),
        _task(
            "overview",
            "Tie it together in the README, and run every test",
            ["README.md"],
            dependencies=["test-money", "test-entries", "test-report", "page-money", "page-report"],
            checks=[{"command": [python, "-m", "unittest", "-q"]}],
        ),
    ]
    turns = [
        _turn(
            {"phase": "analysis"}, _look("tally/money.py", "tally/entries.py", "tally/report.py"), _ANALYSIS
        ),
        _turn({"phase": "taskPlanning"}, [_delay(1.2)]),
        _worker(
            "conventions", 1.6, ["docs/conventions.md", "tests/__init__.py"], "Settled how both are written."
        ),
        _worker(
            "test-money",
            3.0,
            ["tests/test_money.py"],
            "Three cases for amounts, five kinds of nonsense among them.",
        ),
        _first_entries(),
        _worker(
            "test-entries", 2.2, ["tests/test_entries.py"], "Amounts are compared in cents now; three cases."
        ),
        _worker(
            "test-report", 3.6, ["tests/test_report.py"], "Order, total and the empty report are tested."
        ),
        _worker("page-money", 2.8, ["docs/money.md", "docs/entries.md"], "Two pages with an example each."),
        _page_report(),
        _worker("overview", 2.2, ["README.md"], "The README leads to every page; all nine tests pass."),
        _turn({"phase": "aggregation"}, [_delay(1.2)], _AGGREGATION),
        _turn({"phase": "verification"}, [_delay(1.2)], _VERIFICATION),
    ]
    return {"tasks": tasks, "turns": [_at(pace, turn) for turn in turns]}


def _task(id: str, title: str, scope: list[str], **more: Any) -> dict[str, Any]:
    figures = {"estimated_tokens": 4000, "estimated_minutes": 0.05}
    return {
        "id": id,
        "title": title,
        "description": f"{title}: {', '.join(scope)}.",
        "scope": scope,
        **figures,
        **more,
    }


def _test(module: str, python: str) -> dict[str, Any]:
    return _task(
        f"test-{module}",
        f"Test tally.{module}",
        [f"tests/test_{module}.py"],
        dependencies=["conventions"],
        checks=[{"command": [python, "-m", "unittest", "-q", f"tests.test_{module}"]}],
    )


_ANALYSIS = {
    "summary": "Three small modules without tests or pages: money, entries, report. Each can be done apart.",
    "recommended_splits": 7,
    "key_files": ["tally/money.py", "tally/entries.py", "tally/report.py"],
    "estimated_complexity": "low",
}
_AGGREGATION = {
    "status": "success",
    "summary": "Every module has its tests and its page, and the README leads to all of them.",
    "conflicts": [],
}
_VERIFICATION = {
    "status": "passed",
    "summary": "Tests and pages exist for money, entries and report; the tests pass.",
    "issues": [],
}


def _turn(when: dict[str, Any], steps: list[_Step], data: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = {"do": "answer"} if data is None else {"do": "answer", "data": data}
    used = {"do": "usage", "input_tokens": 2100, "output_tokens": 640}
    return {"when": when, "steps": [*steps, used, answer]}


def _worker(id: str, seconds: float, paths: list[str], summary: str) -> dict[str, Any]:
    return _turn({"task": id}, _write(seconds, {path: path for path in paths}), _done(summary, paths))


def _write(seconds: float, paths: dict[str, str]) -> list[_Step]:
    """Reading, then writing; `paths` to the file of the package whose content they get."""
    steps = [
        _progress(10, "reading the module"),
        {"do": "tool", "kind": "read", "path": "tally"},
        _delay(seconds / 3),
        _progress(45, f"writing {next(iter(paths))}"),
        _delay(seconds / 3),
    ]
    steps += [{"do": "write", "path": path, "content": _literal(source)} for path, source in paths.items()]
    return [*steps, _progress(85, "reading it again"), _delay(seconds / 3)]


def _literal(source: str) -> str:
    return material("work", source)


def _first_entries() -> dict[str, Any]:
    path = "tests/test_entries.py"
    steps = _write(2.4, {path: "tests/test_entries.first.py"})
    return _turn({"task": "test-entries", "attempt": 1}, steps, _done("Wrote a case for entries.", [path]))


def _page_report() -> dict[str, Any]:
    path = "docs/report.md"
    output = {"do": "write", "path": path, "content": _literal("docs/report.output.md"), "how": "append"}
    ask = {
        "do": "ask",
        "question": "Run `python -m tally march.csv`, to show its real output on the page?",
        "options": ["allow", "deny"],
        "allow": [
            {"do": "tool", "kind": "bash", "detail": "python -m tally march.csv"},
            _delay(_PAUSE_S),
            output,
        ],
        "deny": [{"do": "say", "text": "Then the page goes without an example."}],
    }
    steps = [*_write(1.8, {path: path}), ask]
    return _turn({"task": "page-report"}, steps, _done("One page for the report.", [path]))


def _done(summary: str, paths: list[str]) -> dict[str, Any]:
    return {"status": "success", "summary": summary, "output_files": paths}


def _look(*paths: str) -> list[_Step]:
    return [step for path in paths for step in ({"do": "tool", "kind": "read", "path": path}, _delay(0.5))]


def _progress(percent: int, action: str) -> _Step:
    return {"do": "progress", "percent": percent, "action": action}


def _delay(seconds: float) -> _Step:
    return {"do": "delay", "seconds": seconds}


def _at(pace: float, turn: dict[str, Any]) -> dict[str, Any]:
    steps = [
        {**step, "seconds": step["seconds"] * pace} if step["do"] == "delay" else step
        for step in turn["steps"]
    ]
    return {**turn, "steps": steps}
