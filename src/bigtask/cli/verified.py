"""What `bigtask logs --verify` says of a log in which it found no fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bigtask.host.verification import Verified
from bigtask.words import counted


def sentences(found: Verified, *, exported: bool) -> Iterator[str]:
    run = found.run
    yield (
        f"ok: {counted(run.seq, 'event')} without a gap, each readable and legal; the counters of "
        f"{counted(len(run.tasks), 'task')} and {counted(found.attempts, 'attempt')} agree"
    )
    if exported:
        yield "every file of the export is as its manifest says"
    elif found.schema is None:
        yield "a process holds the run, so its file wasn't looked at: verify again when it has ended"
    else:
        yield f"the file is sound: {counted(found.pages, 'page')}, schema {found.schema}; {_snapshot(found)}"


def _snapshot(found: Verified) -> str:
    if found.snapshot is not None:
        return f"the snapshot after event {found.snapshot:,} is what the events lead to"
    if found.other_snapshot:
        return "its snapshot is another version's, and isn't used"
    return "no snapshot"


def facts(found: Verified) -> dict[str, Any]:
    return {
        "events": found.run.seq,
        "tasks": len(found.run.tasks),
        "attempts": found.attempts,
        "schema": found.schema,
        "pages": found.pages,
        "snapshot": found.snapshot,
    }
