"""What bigtask raises.

BigtaskError
├── InvalidInput         what was handed in can't be used as it is (exit 2, HTTP 400)
│   ├── InvalidAnswer    the problems of an answer written by hand, all of them
│   ├── InvalidPlan      the problems of a plan, all of them
│   └── InvalidTemplate  the problems of a template, all of them, with JSON pointers
├── NotFound             nothing has that name (exit 2, HTTP 404)
├── Forbidden            that thing can't be changed (exit 2, HTTP 403)
├── Conflict             not in this state, or somebody else was first (exit 1, HTTP 409)
│   └── StaleRevision    a newer revision exists (HTTP 412)
├── AgentUnavailable     the agent isn't installed, not signed in, or refuses this kind of work
├── GitError             git said no; carries the arguments, the exit status and what it printed
├── StoreError           the log can't be read or written
│   ├── SequenceTaken    somebody else appended first: this holder is no longer the holder
│   ├── StoreFull        the disk is full; nothing was written
│   └── NewerSchema      the log was written by a newer bigtask
├── HolderGone           whoever carried the run out ended or let go of it before it had answered
└── RunBusy              another process carries the run out; says which

Every message is one sentence that says what to do next. A bug is any other exception.
"""

from __future__ import annotations

from collections.abc import Sequence


class BigtaskError(Exception):
    """Base of everything that bigtask raises on purpose."""

    @property
    def message(self) -> str:
        return str(self)


class InvalidInput(BigtaskError):
    pass


class InvalidAnswer(InvalidInput):
    """`problems` are sentences; `block` is the protocol phase of the answer."""

    def __init__(self, block: str, problems: Sequence[str]) -> None:
        super().__init__(f"the data can't be what the agent answers ({block}): " + "; ".join(problems))
        self.block = block
        self.problems = tuple(problems)


class InvalidPlan(InvalidInput):
    """`problems` are sentences, in the order of the plan."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the plan can't be used: " + "; ".join(problems))
        self.problems = tuple(problems)


class InvalidTemplate(InvalidInput):
    """`problems` are `(JSON pointer, sentence)` pairs."""

    def __init__(self, name: str, problems: Sequence[tuple[str, str]]) -> None:
        lines = "; ".join(f"{pointer or '/'}: {sentence}" for pointer, sentence in problems)
        super().__init__(f"template {name} can't be used: {lines}")
        self.name = name
        self.problems = tuple(problems)


class NotFound(BigtaskError):
    pass


class Forbidden(BigtaskError):
    pass


class Conflict(BigtaskError):
    """`status` is the state that stood in the way, where one did."""

    def __init__(self, message: str, *, status: str | None = None) -> None:
        super().__init__(message)
        self.status = status


class StaleRevision(Conflict):
    """Revisions are numbers for plans and hashes for templates."""

    def __init__(self, *, given: int | str, current: int | str) -> None:
        old, new = str(given)[:12], str(current)[:12]
        super().__init__(f"revision {old} was edited meanwhile: read revision {new} and edit that one")
        self.given = given
        self.current = current


class AgentUnavailable(BigtaskError):
    pass


class GitError(BigtaskError):
    def __init__(self, arguments: Sequence[str], status: int, printed: str) -> None:
        super().__init__(f"git {arguments[0]} failed ({status}): {printed.strip() or 'it printed nothing'}")
        self.arguments = tuple(arguments)
        self.status = status
        self.printed = printed


class StoreError(BigtaskError):
    pass


class SequenceTaken(StoreError):
    pass


class StoreFull(StoreError):
    pass


class NewerSchema(StoreError):
    pass


class HolderGone(BigtaskError):
    """Whether it did what was asked isn't known: a command with a name may be asked again."""


class RunBusy(BigtaskError):
    pass
