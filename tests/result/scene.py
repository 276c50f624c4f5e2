"""Runs of every colour, told by their events, with texts that no page may take for its own markup."""

from __future__ import annotations

from typing import Any

from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.run import Run
from bigtask.core.states import Phase
from bigtask.core.values import AGGREGATION, VERIFICATION, Check, CheckResult, Evidence, Report, Usage
from core.world import World, phases, planned, task

JUDGED = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.AGGREGATION, Phase.VERIFICATION)
MAKE, LINT = ("make", "check"), ("lint", "a.md")
HOSTILE = (
    "a\x1b[31m|b\x00\u202e</testcase>]]><img src=x onerror=alert(1)> [x](http://evil.example) "
    "![p](//e) `code` *b* _i_ #1 @ada &amp; www.evil.example \ufffe\ud7ff $x$ ~~s~~"
)


def green() -> Run:
    """Everything done, seen and judged."""
    world = _begun(
        task("a", checks=(Check(command=LINT), Check(claim="every page has a title")), scope=("a.md",)),
        task("b", "a"),
        commands=(MAKE,),
    )
    _work(world, "a", "a.md", checks=(passed(LINT),))
    _work(world, "b", "b/one.md", "b/two.md")
    _aggregate(world, "The pages fit together.")
    world.see(o.Checked(**world.who(VERIFICATION), results=(passed(MAKE, "12 passed\n"), passed(LINT))))
    claims = [{"id": "a.1", "verdict": "holds", "evidence": "a.md:1"}]
    return world.report(VERIFICATION, "passed", summary="All is there.", claims=claims).run


def red() -> Run:
    """Verification found something, and the repair round didn't mend it."""
    world = _begun(
        task("a", checks=(Check(claim="every page has a title"), Check(claim="no link is dead"))),
        commands=(MAKE,),
        auto_fix=True,
    )
    _work(world, "a", "a.md")
    issue = {
        "severity": "error",
        "description": "the title of a is missing",
        "location": "a.md:1",
        "suggested_fix": "write it",
    }
    for number in (1, 2):
        _aggregate(world, "One page.")
        world.see(
            o.Checked(
                **world.who(VERIFICATION), results=(failed(MAKE, "a.md: no title\n```\nmake: Error\n"),)
            )
        )
        claims = [
            {"id": "a.1", "verdict": "fails", "evidence": "a.md:1"},
            {"id": "a.2", "verdict": "unclear"},
        ]
        world.report(VERIFICATION, "passed", summary="Looks fine.", claims=claims, issues=[issue])
        if number == 1:
            _work(world, "fix-1-1", "a.md")
            _work(world, "fix-1-2", "c.md")
    return world.run


def partial() -> Run:
    """One of each: half done, failed, skipped because of it, claimed without evidence; in hostile words."""
    world = _begun(
        task("half"),
        task("fell"),
        task("after", "fell"),
        task("liar", scope=("docs",), checks=(Check(command=("sh", "-c", HOSTILE)),)),
        max_retries=0,
        shown=False,
    )
    world.report("half", "partial", summary="Only the first page.").merge("half", "half.md")
    world.fall("fell", f"no disk {HOSTILE}")
    world.report("liar", summary=f"Wrote all pages. {HOSTILE}", output_files=["docs/all.md"])
    found = Evidence(files=("x`|y.md",), claimed_unchanged=("docs/all.md",), outside_scope=("x`|y.md",))
    world.see(o.Integrated(**world.who("liar"), evidence=found))
    _aggregate(world, HOSTILE)
    issue = {"severity": "warning", "description": HOSTILE, "location": HOSTILE, "suggested_fix": HOSTILE}
    return world.report(VERIFICATION, "passed_with_warnings", summary=HOSTILE, issues=[issue]).run


def cancelled() -> Run:
    world = _begun(task("a"), task("b", "a"))
    world.open("a").ask(c.Cancel(by="ada"))
    return world.run


def failed_run() -> Run:
    return _begun(task("a"), max_retries=0).fall("a", "no access").run


def waiting() -> Run:
    """It stands before its plan."""
    return planned(task("a", checks=(Check(command=LINT), Check(claim="it is so"))), phases=JUDGED).run


COLOURS = {
    "green": green,
    "red": red,
    "partial": partial,
    "cancelled": cancelled,
    "failed": failed_run,
    "waiting": waiting,
}


def passed(command: tuple[str, ...], output: str = "") -> CheckResult:
    return CheckResult(command=command, exit_status=0, output=output, took_ms=1_500)


def failed(command: tuple[str, ...], output: str) -> CheckResult:
    return CheckResult(command=command, exit_status=2, output=output, took_ms=80)


def _begun(*tasks: Any, shown: bool = True, **settings: Any) -> World:
    """As far as confirming the plan, with its commands seen or by `--yes`."""
    world = planned(*tasks, phases=JUDGED, yes=not shown, **settings)
    if shown:
        world.ask(c.Confirm(by="ada"))
    return world


def _aggregate(world: World, summary: str) -> None:
    world.report(AGGREGATION, "success", summary=summary)
    if AGGREGATION in world.run.integrating:
        world.see(o.Integrated(**world.who(AGGREGATION), evidence=Evidence()))


def _work(world: World, id: str, *files: str, checks: tuple[CheckResult, ...] = ()) -> None:
    world.pass_time(60_000)
    report = Report(data={"status": "completed", "summary": f"Wrote {id}.", "output_files": list(files)})
    used = Usage(input_tokens=1_000, output_tokens=200, cost_usd=0.25)
    world.see(o.Reported(**world.who(id), report=report, usage=used))
    if checks:
        world.see(o.Checked(**world.who(id), results=checks))
    commit = f"{len(world.events):040x}"
    world.see(
        o.Integrated(
            **world.who(id), evidence=Evidence(files=files, insertions=12, deletions=3, commit=commit)
        )
    )
