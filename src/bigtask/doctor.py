"""What is in force on this machine and what is left over, as findings."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.configuration.keys import KEYS, OTHER_VARIABLES, PREFIX
from bigtask.configuration.layers import Layer, nearest_variable
from bigtask.configuration.standing import Standing
from bigtask.core.phases.trust import summary
from bigtask.core.run import Run
from bigtask.core.states import IllegalMove
from bigtask.errors import BigtaskError, InvalidInput, NotFound
from bigtask.host import access, faults
from bigtask.host.home import Home, RunFolder
from bigtask.host.lock import holder_of, reading
from bigtask.host.mounts import NETWORK_FILE_SYSTEMS, file_system_of
from bigtask.host.trust import Standing as Rules
from bigtask.host.trust import State, standing
from bigtask.process import ProgramNotFound, capabilities
from bigtask.server.credentials import folder_of
from bigtask.server.leader import leader
from bigtask.templates.manager import Listed
from bigtask.words import short
from bigtask.workspaces.consent import listing
from bigtask.workspaces.git import outside
from bigtask.workspaces.settings import digest
from bigtask.workspaces.source import OLDEST_GIT, examine, find

_LITTLE_SPACE = 1 << 30
_NO_SPACE = 50 << 20


class Level(StrEnum):
    OK = "ok"
    ABSENT = "absent"
    """It isn't there, and nobody has to have it."""
    WARN = "warn"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line. `next` is what a person can do about it; empty where nothing is to do. `path` is that of an
    agent's program, which is too long for people."""

    area: str
    level: Level
    text: str
    next: str = ""
    path: str = ""


async def findings(
    home: Home,
    agents: AgentTable,
    templates: Sequence[Listed],
    environ: Mapping[str, str],
    standing: Standing,
) -> list[Finding]:
    """In the order in which a person would want to know. Looks, and changes nothing."""
    return [
        *_system(),
        await _git(home),
        *_place(home),
        _server(home),
        *_agents(agents),
        *_templates(templates),
        *_configuration(standing, agents),
        *_variables(environ, standing.configuration.environment),
        *await _runs(home),
    ]


def _system() -> Iterator[Finding]:
    name = f"{platform.system()} {platform.release()}"
    supported = sys.platform in ("linux", "darwin")
    yield Finding(
        area="system",
        level=Level.OK if supported else Level.PROBLEM,
        text=f"{name}, {platform.machine()}, {os.cpu_count()} processors",
        next="" if supported else "bigtask runs on Linux and macOS: on Windows use WSL",
    )
    yield Finding(area="Python", level=Level.OK, text=f"{platform.python_version()} ({sys.executable})")
    yield Finding(area="SQLite", level=Level.OK, text=sqlite3.sqlite_version)


async def _git(home: Home) -> Finding:
    oldest = ".".join(str(part) for part in OLDEST_GIT)
    try:
        printed = (await outside("--version", cwd=Path("/"))).stdout.decode(errors="replace").strip()
    except ProgramNotFound:
        return Finding(
            area="git", level=Level.PROBLEM, text="not found", next=f"install git {oldest} or newer"
        )
    found = re.search(r"(\d+)\.(\d+)", printed)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GIT:
        return Finding(area="git", level=Level.PROBLEM, text=printed, next=f"install git {oldest} or newer")
    return Finding(area="git", level=Level.OK, text=f"{printed.removeprefix('git version ')} (>= {oldest})")


def _place(home: Home) -> Iterator[Finding]:
    there = next(path for path in (home.path, *home.path.parents) if path.exists())
    writable = os.access(there, os.W_OK | os.X_OK) and there.is_dir()
    yield Finding(
        area="runs",
        level=Level.OK if writable else Level.PROBLEM,
        text=str(home.path) + ("" if writable else " can't be written"),
        next="" if writable else "set BIGTASK_HOME to a folder that you can write to",
    )
    free = shutil.disk_usage(there).free
    level = Level.PROBLEM if free < _NO_SPACE else Level.WARN if free < _LITTLE_SPACE else Level.OK
    yield Finding(
        area="space",
        level=level,
        text=f"{free / (1 << 30):.1f} GiB free",
        next="" if level is Level.OK else "free some space, or set BIGTASK_HOME to another disk",
    )
    name = file_system_of(home.path)
    if name is not None:
        yield judge_file_system(name)


def _server(home: Home) -> Finding:
    found = leader(folder_of(home))
    if found is None or not found.url:
        return Finding(area="server", level=Level.OK, text="none runs: commands carry runs out themselves")
    said = f"at {found.url}, process {found.pid}: what commands start, it carries out"
    return Finding(area="server", level=Level.OK, text=said, next="bigtask serve --link")


def judge_file_system(name: str) -> Finding:
    if name in NETWORK_FILE_SYSTEMS:
        return Finding(
            area="file system",
            level=Level.PROBLEM,
            text=f"{name}, over a network: locks and synced writes can't be relied on there",
            next="set BIGTASK_HOME to a folder on a local disk",
        )
    return Finding(area="file system", level=Level.OK, text=name)


def _agents(agents: AgentTable) -> Iterator[Finding]:
    found = {agent.name: agent.availability() for agent in agents.values()}
    for name, available in found.items():
        account = f" ({available.account})" if available.account else ""
        text = available.detail + account
        # One that can work is enough: nobody needs all of them.
        yield Finding(
            area=f"agent {name}",
            level=Level.OK if available.usable else Level.ABSENT,
            text=text if available.usable else f"not usable: {text}",
            path=available.program or "",
        )
    if not any(available.usable for available in found.values()):
        yield Finding(
            area="agents", level=Level.PROBLEM, text="none can work here", next="bigtask agents says why"
        )


def containment() -> Finding:
    """What keeps the processes of sessions together on this machine."""
    found = capabilities()
    level = Level.WARN if found.level == "group" else Level.OK
    return Finding(area="processes", level=level, text=found.sentences()[0])


async def rules_of_agent(
    home: Home, agents: AgentTable, name: str | None, cwd: Path
) -> tuple[Finding | None, Rules | None]:
    """What this folder brings for the agent that would be used, and whether it would be loaded."""
    agent = agents.get(name) if name is not None else agents.first_usable()
    if agent is None or agent.traits.project_rules is None:
        return None, None
    area, approvals = "project rules", Approvals(home.approvals)
    try:
        rules = await standing(agent, await examine(cwd, approvals.allow_git), approvals)
    except BigtaskError as error:
        return Finding(area=area, level=Level.WARN, text=f"can't be looked at: {error}"), None
    assert rules is not None
    if not rules.brought:
        return Finding(area=area, level=Level.OK, text=f"nothing here for {agent.name}"), rules
    told = summary(rules.brought)
    if rules.state is State.UNAPPROVED:
        text = f"not approved, {agent.name} goes without them: {told}"
        return Finding(area=area, level=Level.WARN, text=text, next="bigtask approve"), rules
    if rules.state is State.UNAPPROVABLE:
        text = f"{agent.name} goes without them, because not all of it can be bound to its content: {told}"
        return Finding(area=area, level=Level.WARN, text=text), rules
    return Finding(area=area, level=Level.OK, text=f"approved, {agent.name} loads them: {told}"), rules


async def programs_of_git(home: Home, cwd: Path) -> Finding | None:
    """What the repository's own settings would make git run. None where that is nothing."""
    try:
        source = await find(cwd)
        programs = (await listing(source.git_dir)).programs if source.git_dir is not None else None
    except BigtaskError:
        return None
    if not programs or source.common_dir is None:
        return None
    told = ", ".join(sorted({program.key for program in programs}))
    if Approvals(home.approvals).allow_git(source.common_dir / "config", digest(programs)):
        return Finding(area="git settings", level=Level.OK, text=f"approved: {told}")
    text = f"{told}: not approved, no run begins in this repository"
    return Finding(area="git settings", level=Level.WARN, text=text, next="bigtask approve")


def _templates(templates: Sequence[Listed]) -> Iterator[Finding]:
    good = [listed.id for listed in templates if listed.usable]
    yield Finding(area="templates", level=Level.OK, text=", ".join(good))
    for listed in templates:
        if listed.errors:
            said = "; ".join(f"{pointer or '/'}: {sentence}" for pointer, sentence in listed.errors)
            yield Finding(
                area=f"template {listed.id}",
                level=Level.WARN,
                text=said,
                next=f"correct {listed.path}" if listed.path else "",
            )
        elif listed.hidden_by is not None:
            yield Finding(
                area=f"template {listed.id}",
                level=Level.WARN,
                text=f"{listed.path} is hidden by the {listed.hidden_by} template of that name",
                next="give it another id",
            )
        elif not listed.usable:
            yield Finding(
                area=f"template {listed.id}",
                level=Level.WARN,
                text=f"{listed.path} isn't approved as it is now: no run can use it",
                next=f"bigtask template approve {listed.id}",
            )


async def root_of(cwd: Path) -> Path:
    """The top of the repository, or the folder itself where there is none that git can read."""
    try:
        return (await find(cwd)).root
    except BigtaskError:
        return cwd.absolute()


def _configuration(standing: Standing, agents: AgentTable) -> Iterator[Finding]:
    area = "configuration"
    places = [str(standing.user_path) + ("" if standing.user_path.exists() else " (not there)")]
    if standing.repository_counts:
        places.append(str(standing.configuration.repository_path))
    yield Finding(area=area, level=Level.OK, text=", ".join(places))
    for problem in standing.problems:
        yield Finding(area=area, level=Level.PROBLEM, text=problem, next="no run can be made before")
    for warning in standing.warnings:
        yield Finding(area=area, level=Level.WARN, text=warning, next="correct that line, or remove it")
    if standing.unread:
        text, _, step = standing.unread.rpartition(": ")
        yield Finding(area="approvals", level=Level.PROBLEM, text=text, next=step)
    if standing.unapproved is not None:
        yield Finding(
            area=area,
            level=Level.WARN,
            text=f"{standing.unapproved.path} isn't approved as it is now: runs here are refused",
            next="bigtask approve",
        )
    agent = standing.resolution["agent"]
    if agent.value is not None:
        try:
            agents.find(agent.value)
        except (NotFound, InvalidInput) as error:
            yield Finding(area=area, level=Level.PROBLEM, text=str(error), next=f"correct {agent.origin}")


def _variables(environ: Mapping[str, str], layer: Layer) -> Iterator[Finding]:
    settings = {key.variable: key.name for key in KEYS.values()}
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        wrong = [problem for problem in layer.problems if problem.startswith(f"{name} ")]
        if wrong:
            said = wrong[0].removeprefix(f"{name} ")
            yield Finding(area=name, level=Level.PROBLEM, text=said, next=f"correct it, or unset {name}")
            continue
        sets = settings.get(name)
        about = (
            f"sets {sets}" if sets in layer.said else "says nothing" if sets else OTHER_VARIABLES.get(name)
        )
        dangerous = name == faults.VARIABLE or about is None
        if about is None:
            about = f"not a setting of this version{nearest_variable(name)}"
        yield Finding(
            area=name,
            level=Level.WARN if dangerous else Level.OK,
            text=f"{environ[name]}: {about}",
            next=f"unset {name}" if dangerous else "",
        )


async def _runs(home: Home) -> list[Finding]:
    found: list[Finding] = []
    ended = worktrees = 0
    try:
        folders = list(home.folders())
    except InvalidInput as error:
        text, _, step = str(error).partition(". ")
        return [Finding(area="run folders", level=Level.PROBLEM, text=text, next=step)]
    for folder in folders:
        run, unread = await _look(folder)
        if unread is not None:
            found.append(unread)
            continue
        assert run is not None
        if run.outcome is not None:
            ended += 1
            worktrees += _worktrees(folder)
        found += _left_over(folder, run)
    about = f"{ended} ended" + (f", whose branches keep {_counted(worktrees)}" if worktrees else "")
    return [*found, Finding(area="run folders", level=Level.OK, text=about)]


async def _look(folder: RunFolder) -> tuple[Run | None, Finding | None]:
    try:
        return await access.read_run(folder), None
    except (BigtaskError, IllegalMove) as error:
        text = str(error)
    except OSError as error:
        text = f"{folder.path} can't be read: {error.strerror}"
    return None, Finding(
        area=f"run {short(folder.id)}",
        level=Level.WARN,
        text=text,
        next=f"the other runs are all right; this one lies in {folder.path}",
    )


def _left_over(folder: RunFolder, run: Run) -> Iterator[Finding]:
    id = short(folder.id)
    with reading(folder.lock) as free:
        held = not free
        if free and folder.socket.exists():
            yield Finding(
                area=f"run {id}",
                level=Level.WARN,
                text="its last process ended without a word and left its socket",
                next=f"bigtask resume {id}" if run.outcome is None else f"rm {folder.socket}",
            )
    if held:
        yield Finding(area=f"run {id}", level=Level.OK, text=f"held by {holder_of(folder.lock)}")
    elif run.outcome is None and run.started and not run.paused:
        yield Finding(
            area=f"run {id}",
            level=Level.WARN,
            text="unfinished, and nobody carries it on",
            next=f"bigtask resume {id}, or bigtask cancel {id}",
        )
    elif run.outcome is None:
        yield Finding(
            area=f"run {id}",
            level=Level.OK,
            text="paused" if run.paused else "not started",
            next=f"bigtask {'resume' if run.paused else 'start'} {id}",
        )


def _worktrees(folder: RunFolder) -> int:
    try:
        return sum(path.is_dir() for path in (folder.path / "workspaces").iterdir())
    except OSError:
        return 0


def _counted(worktrees: int) -> str:
    return f"{worktrees} worktree" if worktrees == 1 else f"{worktrees} worktrees"
