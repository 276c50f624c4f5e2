"""`bigtask serve --demo`: the server over a home that is made for it and goes with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from bigtask.cli.frame import Frame, carry_out, print_json
from bigtask.cli.screen import note

if TYPE_CHECKING:
    from bigtask.server.serving import Welcome


def show(frame: Frame, *, host: str, port: int, as_json: bool) -> None:
    """Serves the sample runs until the program is interrupted, and then removes everything it made."""
    from bigtask.demo.exhibition import furnish, place, play
    from bigtask.demo.scenes import cast
    from bigtask.demo.staging import python_of_checks
    from bigtask.server.credentials import folder_of
    from bigtask.server.leader import leading
    from bigtask.server.serving import Address, serve

    address = Address(host=host, port=port)

    def welcome(found: Welcome) -> None:
        if as_json:
            print_json({"url": found.url, "link": found.link, "home": str(home.path), "pid": os.getpid()})
        else:
            _greet(found)

    with _ended_tidily(), place() as home, leading(folder_of(home)):
        carry_out(lambda: furnish(home))
        carry_out(
            lambda: serve(
                home,
                address,
                who=frame.who,
                agents=cast(python_of_checks()),
                environ=os.environ,
                welcome=welcome,
                beside=play,
            )
        )
    note("stopped: the demonstration and its folder are gone")


def _greet(found: Welcome) -> None:
    from bigtask.demo.exhibition import SHOWN

    click.echo(f"bigtask serves a demonstration at {click.style(found.url, bold=True)}")
    click.echo(f"  sign in  {found.link}")
    note("           (works once, within 15 minutes)")
    click.echo(f"\n{click.wrap_text(SHOWN)}\n")
    click.echo("No model is asked, your own runs and projects aren't touched, and nothing is kept.")
    note("Ctrl-C ends it")


@contextmanager
def _ended_tidily() -> Iterator[None]:
    """Turns the signals that end a program into SystemExit while the block runs: its folder is removed also
    when somebody ends it before it serves."""

    def leave(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
