"""What the seed decides before anything begins: the run, what its agents are like, when its holders die."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from bigtask.core.events import Created
from bigtask.core.states import Phase
from bigtask.core.values import PhaseSettings, Settings, Source
from bigtask.templates.template import PromptPair, Prompts, Template

PLAIN, PATIENT, DEAF = "plain", "patient", "deaf"
"""Agents: one that can be interrupted, one that can also continue a session, one that can do neither."""

GOOD_COMMAND, BAD_COMMAND = ("true",), ("maybe",)

_SAYS = {
    "analysis": "Look at {PROJECT_NAME}: {USER_REQUEST}",
    "task_planning": "Split {USER_REQUEST}",
    "worker": "{TASK_ID}: {TASK_TITLE} after {DEPENDENCY_OUTPUTS}",
    "aggregation": "See {WORKER_OUTPUTS} {MERGED_OUTPUT}",
    "verification": "Judge {MERGED_OUTPUT}",
}
TEMPLATE = Template(
    id="simulated",
    name="Simulated",
    prompts=Prompts(**{name: PromptPair(system=text) for name, text in _SAYS.items()}),
    raw={"id": "simulated"},
)


@dataclass(frozen=True, kw_only=True)
class LifePlan:
    """How one holder comes to its end: the first of what is given, else when the run is over."""

    after_s: float | None = None
    after_steps: int | None = None
    at_append: int | None = None
    at_git: int | None = None
    durable: bool = True
    """Whether the append, or what git does, at which it dies is on the disk."""
    orderly: bool = False
    idle: bool = False
    gone: bool = False
    """The project can't be reached while it lives."""
    down_s: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Temper:
    """Chances in [0, 1] for what goes wrong."""

    agents: float
    git: float
    conflict: float
    full_disk: float
    broken_disk: float
    clock: float
    slow: float


@dataclass(frozen=True, kw_only=True)
class Scene:
    created: Created
    tasks: tuple[dict[str, Any], ...]
    """As the planning agent answers."""
    lives: tuple[LifePlan, ...]
    """The last one sees the run through to its end."""
    temper: Temper
    commands: int
    """How many times the person does something unasked."""
    steady: bool
    """The holder's clock goes on evenly from how it was when it was made, as a real one's does."""
    in_order: bool
    """What is ready runs in the order in which it became so."""
    more: bool
    """When the run is over, somebody asks for something once more."""


def scene(chance: random.Random) -> Scene:
    tasks = _tasks(chance)
    isolation = chance.choice(("none", "worktree", "worktree", "worktree"))
    enabled = {
        Phase.ANALYSIS: chance.random() < 0.5,
        Phase.TASK_PLANNING: chance.random() < 0.93,
        Phase.WORKER_EXECUTION: chance.random() < 0.98,
        Phase.AGGREGATION: chance.random() < 0.5,
        Phase.VERIFICATION: chance.random() < 0.5,
    }
    dirty = ("M a.txt",) if chance.random() < 0.1 else ()
    settings = Settings(
        agent=chance.choice((PLAIN, PATIENT, DEAF)),
        costs_money=chance.random() < 0.2,
        max_workers=chance.randint(1, 5),
        worker_timeout_ms=chance.choice((10_000, 60_000)),
        auto_spawn=chance.random() < 0.3,
        parallel_execution=chance.random() < 0.9,
        retry_on_error=chance.random() < 0.9,
        max_retries=chance.randint(0, 3),
        retry_delay_ms=chance.choice((0, 100, 2_000)),
        spawn_delay_ms=chance.choice((0, 0, 300)),
        isolation=isolation,
        max_tokens=chance.randint(50, 2_000) if chance.random() < 0.1 else None,
        yes=chance.random() < 0.4,
        phases={phase: PhaseSettings(enabled=on, timeout_ms=20_000) for phase, on in enabled.items()},
        accept_partial=chance.random() < 0.3,
        commands=(chance.choice((GOOD_COMMAND, BAD_COMMAND)),) if chance.random() < 0.2 else (),
        allowed_commands=(GOOD_COMMAND, BAD_COMMAND) if chance.random() < 0.3 else (),
        auto_fix=chance.random() < 0.4,
        on_conflict=chance.choice(("ask", "ask", "resolve", "first", "last")),
    )
    created = Created(
        template_id=TEMPLATE.id,
        template=TEMPLATE.raw,
        request="Do the work",
        source=Source(kind="git", cwd="/project", root="/project", dirty=dirty, dirty_count=len(dirty)),
        # Shorter than what some turns take, and than the time that others have. Not drawn: lives that were
        # lived before are to stay what they were.
        settings=msgspec.structs.replace(
            settings, stall_after_ms=5_000 if settings.max_workers % 2 else 180_000
        ),
    )
    deaths = chance.choice((0, 1, 1, 2, 2, 3, 5))
    return Scene(
        created=created,
        tasks=tasks,
        lives=(*(_life(chance) for _ in range(deaths)), LifePlan()),
        temper=_temper(chance),
        commands=chance.choice((0, 1, 3, 6, 12)),
        steady=chance.random() < 0.7,
        in_order=chance.random() < 0.2,
        more=chance.random() < 0.3,
    )


def _tasks(chance: random.Random) -> tuple[dict[str, Any], ...]:
    number = min(chance.randint(1, 12), chance.randint(1, 12))
    ids = [f"t{place}" for place in range(number)]
    tasks = []
    for place, id in enumerate(ids):
        needs = [other for other in ids[:place] if chance.random() < 1.5 / number]
        fields: dict[str, Any] = {"id": id, "title": f"Do {id}", "description": f"All of {id}"}
        fields |= {"dependencies": needs, "priority": chance.randint(1, 10)}
        if chance.random() < 0.3:
            fields["scope"] = [f"src/{chance.randint(1, 3)}"]
        if chance.random() < 0.15:
            fields["checks"] = [{"command": list(chance.choice((GOOD_COMMAND, BAD_COMMAND)))}]
        if chance.random() < 0.2:
            fields["agent"] = chance.choice((PLAIN, PATIENT, DEAF))
        tasks.append(fields)
    return tuple(tasks)


def _life(chance: random.Random) -> LifePlan:
    plan = _death(chance)
    return replace(plan, gone=True) if chance.random() < 0.03 else plan


def _death(chance: random.Random) -> LifePlan:
    down_s = chance.choice((0.0, 0.5, 30.0))
    durable = chance.random() < 0.5
    match chance.randrange(12):
        case 0 | 1 | 2:
            return LifePlan(at_append=chance.randint(1, 25), durable=durable, down_s=down_s)
        case 3 | 4:
            return LifePlan(at_git=chance.randint(1, 30), durable=durable, down_s=down_s)
        case 5 | 6 | 7:
            return LifePlan(after_steps=chance.randint(1, 1_500), down_s=down_s)
        case 8 | 9:
            return LifePlan(after_s=chance.uniform(0.0, 40.0), down_s=down_s)
        case 10:
            return LifePlan(after_s=chance.uniform(0.0, 40.0), orderly=True, down_s=down_s)
        case _:
            return LifePlan(after_s=chance.uniform(0.0, 10.0), orderly=True, idle=True, down_s=down_s)


def _temper(chance: random.Random) -> Temper:
    def now_and_then(often: float, most: float) -> float:
        return chance.uniform(0, most) if chance.random() < often else 0.0

    return Temper(
        agents=now_and_then(0.8, 0.4),
        git=now_and_then(0.3, 0.1),
        conflict=now_and_then(0.4, 0.8),
        full_disk=now_and_then(0.2, 1.0),
        broken_disk=now_and_then(0.1, 0.05),
        clock=now_and_then(0.3, 1.0),
        slow=now_and_then(0.5, 1.0),
    )
