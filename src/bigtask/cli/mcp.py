"""`bigtask mcp`: runs for agents, over the Model Context Protocol."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import click

from bigtask.cli.frame import EXIT_OK, Frame, carry_out
from bigtask.errors import InvalidInput


@click.command(
    short_help="Runs for agents, over MCP on stdin and stdout.",
    epilog="\b\nExamples:\n  claude mcp add bigtask -- bigtask mcp\n"
    "  bigtask mcp --max-budget-usd 20 --run-budget-usd 5",
)
@click.option(
    "--run-budget-usd",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="AMOUNT",
    help="What one run made here may cost.",
)
@click.option(
    "--max-budget-usd",
    type=click.FloatRange(min=0, min_open=True),
    metavar="AMOUNT",
    help="What all runs made here may cost together.",
)
@click.option(
    "--max-depth",
    type=click.IntRange(0, 8),
    default=1,
    show_default=True,
    help="How deep runs may be made by agents of runs.",
)
@click.pass_obj
def command(frame: Frame, run_budget_usd: float, max_budget_usd: float | None, max_depth: int) -> int:
    """Speaks the Model Context Protocol on stdin and stdout, for an agent's client that starts it. Agents can
    make, start, plan, follow and pause runs and read results; they never confirm, answer, merge or raise.

    Where `bigtask serve` runs, it carries the runs out, and they go on when the client ends; agents can reach
    it at /mcp as well. docs/mcp.md says how clients are set up.
    """
    require_extra()

    async def work() -> None:
        from bigtask.mcp.bounds import bounds_from
        from bigtask.mcp.serving import made
        from bigtask.mcp.tools import Tools
        from bigtask.module import OrchestratorModule
        from bigtask.server.adopting import adopted

        bounds = bounds_from(
            os.environ, max_depth=max_depth, run_usd=run_budget_usd, total_usd=max_budget_usd
        )
        module = OrchestratorModule(home=frame.home.path, who="bigtask mcp", hand_over=adopted)
        async with module:
            await made(Tools(module, bounds, cwd=Path.cwd()), module).run_stdio_async()

    carry_out(work)
    return EXIT_OK


def require_extra() -> None:
    """Raises InvalidInput where the extra isn't installed."""
    if find_spec("mcp") is None:
        raise InvalidInput("this needs the MCP SDK: pip install 'bigtask[mcp]'")
