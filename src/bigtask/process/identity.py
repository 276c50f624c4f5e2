"""Who a process is, in a form that can be kept and compared after a crash or a restart of the machine."""

from __future__ import annotations

import os
import re
import secrets
from functools import cache

import msgspec

from bigtask.process import cgroup, proc

_TAG = re.compile(r"[0-9a-f]{32}(:[a-z0-9]{1,16})?")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A process of one boot: `pid`, when it `started` (clock ticks since the boot) and its mark.

    Number and start don't suffice: a number that is given away within one tick has the same start. Raises
    ValueError (`msgspec.ValidationError` when decoded) for a mark that isn't one of ours, which could be
    everybody's.
    """

    boot_id: str
    pid: int
    started: int
    tag: str
    """`OWNER`, of a bigtask process itself, or `OWNER:SESSION`."""

    cgroup: str = ""
    """The directory of its control group; an owner's is the one in which its sessions' are made."""

    def __post_init__(self) -> None:
        if not _TAG.fullmatch(self.tag):
            raise ValueError("that isn't the mark of a process that bigtask started")

    @property
    def owner(self) -> str:
        return proc.owner_of(self.tag)

    @property
    def is_owner(self) -> bool:
        return self.tag == self.owner


@cache
def _owner(pid: int) -> str:
    # Cached by process id: a process that is forked off us has an owner of its own.
    return secrets.token_hex(16)


def owner() -> str:
    """The first half of every mark that this process gives away."""
    return _owner(os.getpid())


def new_tag() -> str:
    """The mark of a new session."""
    return f"{owner()}:{secrets.token_hex(6)}"


def this_process() -> Identity:
    """Keep it before anything is started: with it alone everything that we leave behind can be found."""
    pid = os.getpid()
    found = proc.seen(pid)
    return Identity(
        boot_id=proc.boot_id(),
        pid=pid,
        started=found.started if found else 0,
        tag=owner(),
        cgroup=cgroup.own() or "",
    )


def is_running(identity: Identity) -> bool:
    """False where it can't be told: on systems without `/proc`, and for what another boot has started."""
    if identity.boot_id != proc.boot_id():
        return False
    found = proc.seen(identity.pid)
    if found is None or found.state == "Z" or found.started != identity.started:
        return False
    # A bigtask process gives its mark to its children and doesn't carry it itself.
    return identity.is_owner or proc.tag(identity.pid) == identity.tag
