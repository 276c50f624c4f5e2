"""`bigtask serve`: runs and templates for browsers and programs on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bigtask.cli.frame import EXIT_OK, Frame, carry_out, json_option, print_json
from bigtask.cli.screen import note
from bigtask.errors import InvalidInput
from bigtask.words import counted

if TYPE_CHECKING:
    from bigtask.server.serving import Welcome

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    short_help="The server: REST, events and a WebSocket.",
    epilog="\b\nExamples:\n  bigtask serve\n  bigtask serve --demo\n  bigtask serve --link\n"
    "  bigtask serve --host 0.0.0.0 --allow-remote --proxy https://bigtask.example.org",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7717, show_default=True, help="0 finds a free one."
)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--allow-remote", is_flag=True, help="Answer other machines as well; needs TLS or a proxy.")
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="A certificate, for https.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="The certificate's key.")
@click.option(
    "--proxy", metavar="URL", help="https://NAME by which a proxy in front of the server is reached."
)
@click.option("--link", is_flag=True, help="Only print a new link to sign in at the server that runs.")
@click.option(
    "--demo",
    is_flag=True,
    help="Show sample runs that play by scripts, without a model, in a home of their own that goes with it.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    port: int,
    host: str,
    allow_remote: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    proxy: str | None,
    link: bool,
    demo: bool,
    as_json: bool,
) -> int:
    """Serves runs and templates over HTTP, to this machine only: what the commands do, programs and browsers
    can do too, with a token or after signing in with the link that is printed. docs/api.md has a tour.

    One server runs for all your runs. It carries out what is started through it, until Ctrl-C ends it; then
    `bigtask resume RUN`, or the next server, goes on.

    --demo shows the dashboard over sample runs, on a free port: one of each thing that can happen to a run.
    No model is asked, nothing of yours is touched, and nothing is left when it ends.
    """
    frame: Frame = context.obj
    if demo:
        _show_demo(context, host, port)
        return EXIT_OK
    if link:
        _print_link(frame, as_json=as_json)
        return EXIT_OK
    from bigtask.server.credentials import folder_of
    from bigtask.server.leader import leading

    # Before anything that takes long to import: whoever comes second is told at once.
    with leading(folder_of(frame.home)):
        _serve(frame, host, port, allow_remote, (tls_cert, tls_key), proxy, as_json=as_json)
    note("stopped: `bigtask list` shows the runs, `bigtask resume RUN` goes on with one")
    return EXIT_OK


def _show_demo(context: click.Context, host: str, port: int) -> None:
    from bigtask.cli.exhibition import show

    given = {
        name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    others = sorted(given - {"demo", "host", "port", "as_json"})
    if others:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise InvalidInput(f"--demo is for this machine alone, with a home of its own: leave {named} out")
    show(
        context.obj,
        # A browser keeps one sign-in for a name, whatever the port: that of the person's own server stays.
        host=host if "host" in given else "localhost",
        port=port if "port" in given else 0,
        as_json=context.params["as_json"],
    )


def _serve(
    frame: Frame,
    host: str,
    port: int,
    allow_remote: bool,
    tls: tuple[Path | None, Path | None],
    proxy: str | None,
    *,
    as_json: bool,
) -> None:
    from bigtask.server.serving import Address, serve

    address = Address(
        host=host, port=port, allow_remote=allow_remote, certificate=tls[0], key=tls[1], proxy=proxy
    )

    def welcome(found: Welcome) -> None:
        if as_json:
            print_json(
                {
                    "url": found.url,
                    "link": found.link,
                    "tokenFile": str(found.token_file),
                    "delegateTokenFile": str(found.delegate_file),
                    "pid": os.getpid(),
                }
            )
        else:
            _greet(found, remote=allow_remote)

    carry_out(
        lambda: serve(
            frame.home, address, who=frame.who, agents=frame.agents, environ=os.environ, welcome=welcome
        )
    )


def _greet(found: Welcome, *, remote: bool) -> None:
    click.echo(f"bigtask serves at {click.style(found.url, bold=True)}")
    click.echo(f"  sign in      {found.link}")
    note("               (works once, within 15 minutes; another: bigtask serve --link)")
    click.echo(f"  for programs {found.token_file}")
    click.echo(f"  for agents   {found.delegate_file}")
    note("               (those never confirm, answer, merge or raise)")
    if remote:
        note("  other machines are answered too: whoever has a token can run programs here")
    if found.unattended:
        runs = counted(found.unattended, "run")
        note(f"  nobody carries out {runs} that had begun: bigtask list, then bigtask resume RUN")
    note("  Ctrl-C ends it")


def _print_link(frame: Frame, *, as_json: bool) -> None:
    """Raises NotFound where no server runs, Conflict where it doesn't answer."""
    from bigtask.server.asking import ask_leader

    answer = ask_leader(frame.home, "POST", "/api/sign-in-links")
    if as_json:
        print_json({"link": answer["link"], "validForSeconds": answer["validForSeconds"]})
    else:
        click.echo(answer["link"])
