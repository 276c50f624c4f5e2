"""`bigtask serve --demo`: a home of its own, and the runs that are played in it while the server serves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path

from bigtask.core.events import WorkerMerged
from bigtask.demo.sample import make_sample
from bigtask.demo.scenes import KILLED, agent_of, scenes
from bigtask.demo.staging import python_of_checks
from bigtask.demo.temporary_place import temporary_place
from bigtask.host.home import Home
from bigtask.module import OrchestratorModule
from bigtask.process import minimal_env, running

SHOWN = (
    "Six runs over a small sample project, played by scripts: one to look at while it works and asks for a "
    "permission, a plan that waits for its confirmation, two tasks that changed the same lines, an account "
    "at its limit, a run whose process is killed and that goes on, and one that is finished."
)

_WORKED_ON_S = 1.0
"""After its first merge the doomed process works on for so long: others of its tasks are under way then."""
_UNATTENDED_S = 1.5
"""How long nobody carries the run out."""
_SLOTS = 64
"""A script takes next to nothing of the machine: no run waits for another one's."""


@contextmanager
def place() -> Iterator[Home]:
    """A home in a temporary folder that goes with everything in it when the block ends. Those of
    demonstrations that were killed go before it begins.

    While the block runs, nothing in this process's environment says anything of the person's own
    configuration, home or accounts.
    """
    with temporary_place() as folder:
        home = Home(folder / "home")
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(_environment(before, home))
        try:
            yield home
        finally:
            os.environ.clear()
            os.environ.update(before)


def _environment(ours: Mapping[str, str], home: Home) -> dict[str, str]:
    kept = {
        name: value
        for name, value in ours.items()
        if not name.startswith(("BIGTASK_", "ANTHROPIC_", "CLAUDE"))
    }
    own = {"BIGTASK_HOME": home.path, "BIGTASK_CONFIG": os.devnull, "BIGTASK_MACHINE_SLOTS": _SLOTS}
    return {**kept, **{name: str(value) for name, value in own.items()}}


def project_of(home: Home) -> Path:
    """What all of its runs work on."""
    return home.path.parent / "tally"


async def furnish(home: Home) -> None:
    """The sample project, without which nothing can be played. Raises GitError, and ProgramNotFound without
    git."""
    await make_sample(project_of(home))


async def play(module: OrchestratorModule) -> None:
    """Begins every scene in a furnished home, and sees to the one whose holder is killed."""
    python = python_of_checks()
    project = project_of(module.home)
    async with asyncio.TaskGroup() as group:
        for name, scene in scenes(python).items():
            options = scene.options_for(agent_of(name))
            made = await module.orchestrators.create(
                template_id=scene.template, cwd=project, message=scene.request, options=options
            )
            if name == KILLED:
                group.create_task(_kill_and_take_up(module, made.id))
            else:
                await module.orchestrators.start(made.id)


async def _kill_and_take_up(module: OrchestratorModule, run_id: str) -> None:
    command = [sys.executable, "-P", "-m", "bigtask.demo.doomed", str(module.home.path), run_id]
    env = minimal_env({n: v for n, v in os.environ.items() if n.startswith("BIGTASK_")})
    async with running(command, cwd=module.home.path, env=env) as doomed:
        merged = asyncio.create_task(_first_merge(module, run_id))
        ended = asyncio.create_task(doomed.wait())
        try:
            await asyncio.wait({merged, ended}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({ended}, timeout=_WORKED_ON_S)
            if not ended.done():
                os.kill(doomed.pid, signal.SIGKILL)
        finally:
            merged.cancel()
            ended.cancel()
            await asyncio.wait({merged, ended})
    await asyncio.sleep(_UNATTENDED_S)
    await module.orchestrators.start(run_id)


async def _first_merge(module: OrchestratorModule, run_id: str) -> None:
    """Waits for the first merge of a task in a run that another process carries out."""
    async with aclosing(module.following.follow(module.home.find(run_id), 0)) as events:
        async for event in events:
            if isinstance(event.data, WorkerMerged) and not event.data.task_id.startswith("@"):
                return
