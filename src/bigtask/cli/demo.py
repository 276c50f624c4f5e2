"""`bigtask demo`: a sample project and a scripted run over it, without a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option

if TYPE_CHECKING:
    from bigtask.host.home import RunFolder

_LABEL = "no model: a scripted demonstration"
_PATIENCE_S = 4.0
"""So long the person at the terminal has to answer, before the demonstration does it for them."""
_SHORT_PATIENCE_S = 1.0


@click.command(
    short_help="A sample project and a scripted run, without a model.", epilog="Example: bigtask demo --yes"
)
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the sample project goes; a fresh temporary folder unless given.",
)
@click.option("--yes", is_flag=True, help="Answer its question for me.")
@click.option("--pace", type=click.FloatRange(0, 10), default=1.0, hidden=True)
@json_option
@click.pass_obj
def command(frame: Frame, directory: Path | None, yes: bool, pace: float, as_json: bool) -> int:
    """Makes a small Python project and carries a scripted run out over it: seven tasks, four workers, one
    attempt that a check refuses, one question. Nothing is sent anywhere.

    Ctrl-C pauses it; the same command goes on with it.
    """
    from bigtask.cli.screen import note

    folder, project, again = carry_out(lambda: _prepare(frame, directory, pace))
    note(f"{'Goes on' if again else 'Begins'} in {project} ({_LABEL}).")
    patience_s = (_SHORT_PATIENCE_S if yes else _PATIENCE_S) if _somebody_is_there(as_json) else 0.0
    status = carry_out(lambda: _carry_out(frame, folder, patience_s, as_json=as_json))
    _say_what_next(frame, folder, project)
    return status


def _somebody_is_there(as_json: bool) -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty() and not as_json


async def _prepare(frame: Frame, directory: Path | None, pace: float) -> tuple[RunFolder, Path, bool]:
    """The run, its project, and whether it had been begun before."""
    import tempfile

    from bigtask.demo.sample import make_sample
    from bigtask.demo.staging import begin, unfinished, write_script

    agent = write_script(frame.home, pace=pace)
    found = None if directory is not None else await unfinished(frame.home, agent)
    if found is not None:
        return *found, True
    project = directory.absolute() if directory else Path(tempfile.mkdtemp(prefix="bigtask-demo-")) / "tally"
    await make_sample(project)
    folder = await begin(frame.home, project, agent, agents=frame.agents, by=frame.who)
    return folder, project, False


async def _carry_out(frame: Frame, folder: RunFolder, patience_s: float, *, as_json: bool) -> int:
    import asyncio

    from bigtask.cli.carrying import carry
    from bigtask.cli.run import go_on
    from bigtask.demo.staging import answer_after

    answering = asyncio.create_task(answer_after(folder, patience_s))
    try:
        return await carry(frame, folder, lambda run: go_on(run, frame.who), as_json=as_json)
    finally:
        answering.cancel()
        await asyncio.wait([answering])


def _say_what_next(frame: Frame, folder: RunFolder, project: Path) -> None:
    from bigtask.cli.reading import load
    from bigtask.cli.screen import note

    run = carry_out(lambda: load(folder))
    if run.outcome is None:
        return
    name = frame.name_of(folder)
    note(
        f"\nThe project is in {project}\nIts new tests and pages stay on a branch until you merge them.\n\n"
        f"  bigtask show {name}               what became of every task\n"
        f"  bigtask show {name} test-entries  why its first attempt was refused\n"
        f"  bigtask diff {name}               the whole change\n"
        f"  bigtask merge {name}              take it in; --undo takes it out again\n\n"
        "In a project of yours, without a model as well:\n\n"
        '  bigtask run documentation "Document every module" --agent offline'
    )
