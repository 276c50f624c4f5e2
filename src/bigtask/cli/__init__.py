"""The command line: one module a command."""

from __future__ import annotations

import io
import sys

import click

from bigtask.cli.command_group import CommandGroup
from bigtask.cli.frame import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, Frame
from bigtask.errors import BigtaskError, Forbidden, InvalidInput, NotFound
from bigtask.sink import without_secrets
from bigtask.words import plain

GROUPS: dict[str, dict[str, str]] = {
    "Carry out": {
        "run": "Analyse, plan, carry out, merge and check one request.",
        "create": "Make a run without starting it.",
        "start": "Start a run that was made.",
        "edit": "The plan of a run, in your editor.",
        "confirm": "Start the workers of a plan.",
        "pause": "Stop at the next safe point.",
        "resume": "Go on with a run.",
        "cancel": "End a run; its work stays on its branches.",
        "retry": "Try a task again, or all that failed.",
        "merge": "Take a run's result into your branch or folder.",
    },
    "Look": {
        "list": "Runs and what waits for you.",
        "show": "One run: its tasks, evidence and result.",
        "watch": "Follow a run live, and carry it on if nobody does.",
        "logs": "The events of a run.",
        "diff": "What a run or a task has changed.",
        "open": "Where a task's files are, or your editor on them.",
        "report": "A run's result as Markdown, JSON or JUnit.",
        "export": "A run as one file, to send with a bug report.",
        "inbox": "Everything that waits for a person, over all runs.",
    },
    "Answer": {
        "answer": "Answer something that a run waits for.",
        "message": "Say something to a worker.",
        "permissions": "What agents may do in a repository, by your answers.",
    },
    "This machine": {
        "template": "Templates: list, show, check, create, edit, share, approve.",
        "agents": "The agents, and whether they can work here.",
        "doctor": "What is in force here, and what is left over.",
        "clean": "Remove what ended runs take of the disk.",
        "uninstall": "Take everything of bigtask off this machine.",
        "approve": "Allow what the repository sets for runs and for git.",
        "demo": "A sample project and a scripted run, without a model.",
        "bench": "What bigtask itself costs, beside other systems.",
        "serve": "The server: REST, events and a WebSocket.",
        "mcp": "Runs for agents, over MCP on stdin and stdout.",
        "parse": "The blocks in an agent's answer, and what they are worth.",
    },
}


_EPILOG = """\b
Example: bigtask run documentation "Generate documentation for all modules" --agent offline

\b
Completion of commands, options, runs and templates, for bash (zsh and fish alike):
  eval "$(_BIGTASK_COMPLETE=bash_source bigtask)"
"""


@click.group(
    cls=CommandGroup,
    package=__name__,
    sections=GROUPS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
)
@click.option("-v", "--verbose", count=True, help="Say more on stderr; twice for everything.")
@click.version_option(package_name="bigtask", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, verbose: int) -> None:
    """One request that is too big for one agent session, done by several: split into tasks, carried out in
    parallel, merged and checked.

    Without a command: unfinished runs and what waits for you.
    """
    ctx.obj = Frame.from_environment(verbose)
    if ctx.invoked_subcommand is None:
        unfinished = cli.get_command(ctx, "list")
        assert unfinished is not None
        ctx.invoke(unfinished, unfinished=True)


def main() -> None:
    """The entry point: expected failures become one sentence on stderr and an exit code."""
    _print_what_can_be_printed()
    try:
        status = cli.main(prog_name="bigtask", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except BigtaskError as error:
        click.echo(f"bigtask: {plain(without_secrets(str(error)))}", err=True)
        sys.exit(EXIT_USAGE if isinstance(error, InvalidInput | NotFound | Forbidden) else EXIT_FAILED)
    except OSError as error:
        # The environment's failures: a full disk, a folder that may not be used, no more file descriptors.
        what = f"{plain(str(error.filename))}: " if error.filename is not None else ""
        click.echo(f"bigtask: {what}{error.strerror or error}. What can be done: bigtask doctor", err=True)
        sys.exit(EXIT_FAILED)
    sys.exit(status if isinstance(status, int) else 0)


def _print_what_can_be_printed() -> None:
    """A name that isn't UTF-8, or a terminal that isn't, must not cost the rest of a result."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
