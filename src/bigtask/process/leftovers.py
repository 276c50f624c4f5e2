"""What a bigtask process that was killed has left running: found by what was kept of it, and ended."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable

import msgspec

from bigtask.process import cgroup, proc, sweep
from bigtask.process.identity import Identity, is_running

_WITHIN_S = 3.0
_LOOK_AGAIN_S = 0.01


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """`ended` and `left` are pids; `left` hadn't ended after three seconds. `living` are the identities that
    weren't touched because their owner runs."""

    ended: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    living: tuple[Identity, ...] = ()


async def reconcile(identities: Iterable[Identity]) -> Reconciled:
    """End what is left over of bigtask processes that have ended, and nothing else.

    An owner's identity (`this_process`) stands for all of its sessions and programs, a session's
    (`Process.identity`) for that session. Give an owner's with them where there is one: what belongs to an
    owner that still runs isn't touched. Identities of another boot stand for nothing any more.
    """
    return await asyncio.to_thread(_reconcile, tuple(identities))


def end_session(tag: str, group: str) -> sweep.Swept:
    """What still carries a session's mark or is in its control group. Blocks, three seconds at most."""
    return _both([tag], [group] if group else [])


def _reconcile(identities: tuple[Identity, ...]) -> Reconciled:
    boot_id = proc.boot_id()
    here = [identity for identity in identities if identity.boot_id == boot_id]
    running = {identity.owner for identity in here if identity.is_owner and is_running(identity)}
    living = tuple(identity for identity in here if identity.owner in running)
    over = [identity for identity in here if identity.owner not in running]
    groups = [group for identity in over for group in _groups(identity)]
    swept = _both([identity.tag for identity in over], groups)
    return Reconciled(ended=tuple(swept.ended), left=tuple(swept.left), living=living)


def _groups(identity: Identity) -> list[str]:
    if identity.is_owner:
        return cgroup.of_owner(identity.cgroup, identity.owner) if identity.cgroup else []
    # A record that somebody has tampered with can't name another group than its own.
    own = os.path.basename(identity.cgroup) == cgroup.name(identity.tag)
    return [identity.cgroup] if own else []


def _both(tags: list[str], groups: list[str]) -> sweep.Swept:
    marks = frozenset(tags)
    swept = sweep.end(lambda tag: tag in marks or proc.owner_of(tag) in marks, within_s=_WITHIN_S)
    ended, left = set(swept.ended), set(swept.left)
    deadline = time.monotonic() + _WITHIN_S
    for group in groups:
        inside = set(cgroup.members(group))
        if cgroup.kill(group):
            while not cgroup.remove(group) and time.monotonic() < deadline:
                time.sleep(_LOOK_AGAIN_S)
        still = set(cgroup.members(group))
        ended |= inside - still
        left |= still
    return sweep.Swept(sorted(ended - left), sorted(left))
