"""What this system offers to keep a program's descendants together, and what of it is in use."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache

from bigtask.process import cgroup


@dataclass(frozen=True, kw_only=True)
class Containment:
    """How the trees of sessions are held. Without any of it: by process groups, which a descendant leaves by
    making a session of its own.

    `keeper`: each session has a process that ends it when we are gone. `subreaper`: descendants can't get
    away from that process. `cgroup`: the directory in which each session gets a control group; it also finds
    them when that process is killed together with us. `marks`: whatever carries our mark in its environment
    can be found and signalled without meeting others.
    """

    keeper: bool
    subreaper: bool
    cgroup: str | None
    marks: bool

    @property
    def level(self) -> str:
        """`cgroup`, `subreaper` or `group`: the strongest that is in use."""
        if self.cgroup:
            return "cgroup"
        return "subreaper" if self.subreaper else "group"

    def sentences(self) -> tuple[str, ...]:
        """What is in use and why, for a person; the first is the summary."""
        if self.level == "group":
            return (
                "a session's processes are ended by their group: what makes a session of its own gets away",
                "containing whole trees needs Linux",
            )
        group = (
            f"each session has a control group below {self.cgroup}"
            if self.cgroup
            else "control groups aren't used: there is none of version 2 here that we may divide, so what "
            "drops its environment survives if bigtask and the session's keeper are killed at once"
        )
        marks = (
            "what a killed bigtask left is found by its mark and signalled by pidfd"
            if self.marks
            else "what a killed bigtask left can't be signalled safely: that needs Linux 5.3 and /proc"
        )
        return (
            "each session has a keeper, which ends all of its processes, also when bigtask is killed",
            group,
            marks,
            "PID namespaces aren't used: they change the process numbers and rights that agents see",
        )


@cache
def capabilities() -> Containment:
    """Looked at once. Changes nothing."""
    if sys.platform != "linux" or not sys.executable:
        return Containment(keeper=bool(sys.executable), subreaper=False, cgroup=None, marks=False)
    own = cgroup.own()
    return Containment(
        keeper=True,
        subreaper=True,
        cgroup=own if own and cgroup.usable(own) else None,
        marks=_has_pidfds() and os.path.exists("/proc/self/environ"),
    )


def _has_pidfds() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True
