"""What an agent is: a backend that opens sessions; a session takes prompts and yields events.

Open, use and close a session in one task. A turn's iterator ends with exactly one `TurnEnded`, unless
the session died, in which case it raises `SessionLost`. Cancelling the consumer closes the session, and
closing ends every process that the session started.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from bigtask.core.liveness import Activity
from bigtask.core.values import Permissions
from bigtask.errors import BigtaskError


class ToolKind(StrEnum):
    """The kinds that tool calls are counted by."""

    READ = "read"
    WRITE = "write"
    EDIT = "edit"
    BASH = "bash"
    SEARCH = "search"
    WEB = "web"
    TASK = "task"
    OTHER = "other"


class ProjectRules(msgspec.Struct, frozen=True, kw_only=True):
    """What of a project an agent loads or runs by itself, where it may: files of these `names`, and all
    below folders of these names, wherever in the project.

    `says(path, text)` are parts of sentences for people on what that file would do; `leads_to(path, text)`
    the paths of other files that it names, from the top of the project. Both are pure and take any text.
    """

    names: frozenset[str]
    folders: frozenset[str]
    of_checkout: tuple[str, ...] = ()
    """Folders that the agent also takes from the repository's main checkout, from wherever it works."""
    says: Callable[[str, str], tuple[str, ...]]
    leads_to: Callable[[str, str], tuple[str, ...]]


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend can do, declared once and relied on by the host."""

    costs_money: bool = False
    can_interrupt: bool = True
    can_resume: bool = False
    spawn_delay_ms: int | None = None
    """Least time between two session starts; None leaves it to the template."""
    account: str | None = None
    """What its sessions' limits are shared by, on this machine: a name without anything secret. None for an
    agent whose sessions have nothing to do with each other."""
    session_mib: int = 0
    """The memory that a session takes; 0 for one that takes next to nothing, and no slot of the machine."""
    project_rules: ProjectRules | None = None
    """None for an agent that loads nothing of a project by itself."""


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the agent can work here; `detail` says which program and version, or how to get it, `program`
    where that lies."""

    usable: bool
    detail: str
    account: str | None = None
    subscription: bool = False
    """The account pays by the month: what a session costs is then only what it would by list price."""
    program: str | None = None
    install: str | None = None
    """The one command that brings what is missing, where a command can."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is opened with. `env` is the whole environment, not an addition to ours."""

    name: str
    cwd: Path
    env: Mapping[str, str] = {}
    read_only: bool = False
    permission_mode: str = "ask"
    model: str | None = None
    effort: str | None = None
    resume: str | None = None
    """The id of an earlier session to continue, for agents that can."""
    used: UsageReported | None = None
    """The last that was reported of the session to continue. What is reported from then on holds it too."""
    project_settings: bool = False
    """Whether the agent may load what the project holds for it (instructions, settings, tool servers)."""
    rules: Permissions = Permissions()
    """What has to be asked although the mode allows it: where one of these denies or asks."""
    budget_usd: float | None = None
    """What may be spent from here on, for agents with a cap of their own. It can be overstepped by one
    answer of the model."""
    poll_interval_ms: int = 2_000
    """How often an agent that can't push is asked for news."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One turn's question. Models read `text`; programs read `phase` and `variables`."""

    text: str
    phase: str
    variables: Mapping[str, Any]
    nonce: str
    schema: Mapping[str, Any] | None = None


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an assistant message; pieces of one message share `message`."""

    text: str
    message: int = 0


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    kind: ToolKind
    name: str
    detail: str = ""
    path: str | None = None


class PermissionAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The turn stands still until `Session.answer(request_id, …)`."""

    request_id: str
    question: str
    options: Sequence[str] = ("allow", "deny")
    tool: str = ""
    """The agent's name for what it wants to use; empty for a question of another kind."""
    subject: str = ""
    """What it would do with it: a command, a path (relative below the workspace), an address."""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, or progress, that came by a tool or a schema and not as text.

    The session vouches for it, so it has no nonce. `phase` is that of a block and `data` its fields, as the
    agent gave them: neither is checked. Of several answers in a turn the last that can be used counts.
    """

    phase: str
    data: Any


class UsageReported(msgspec.Struct, frozen=True, kw_only=True):
    """What this session has used so far, in all: a later report replaces an earlier one."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """The account is limited; `reset_s` is how long the provider said to wait, if it said.

    `kind` is `rate`, `overloaded` or `usage`. The turn goes on by itself, or ends with reason `limited`.
    """

    kind: str
    reset_s: float | None = None


class TurnEnded(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` is `end`, `interrupted`, `max_tokens`, `limited` or `error`; `detail` says more about the last
    two. After `limited` the session is as it was: another turn goes on where this one stopped.
    """

    reason: str = "end"
    detail: str = ""


SessionEvent = Text | ToolCall | PermissionAsked | Reported | UsageReported | Limited | TurnEnded


class SessionLost(BigtaskError):
    """The session ended in the middle of a turn: its process exited, or its connection broke."""


class Session(Protocol):
    @property
    def id(self) -> str:
        """What `Opening.resume` takes to continue this session."""

    def turn(self, prompt: Prompt) -> AsyncIterator[SessionEvent]: ...

    async def answer(self, request_id: str, answer: str) -> None: ...

    async def send(self, text: str) -> None:
        """Say something to the agent in the middle of its turn, or before the next one."""

    async def interrupt(self) -> None:
        """End the running turn at the next safe point: its iterator ends with reason `interrupted`."""

    def activity(self) -> Activity | None:
        """What its processes have done by now, as far as that can be seen. None for a session without any:
        only what it says is a sign of its life then."""


class Agent(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def traits(self) -> Traits: ...

    def availability(self) -> Availability: ...

    def refuses(self, *, template_id: str) -> str | None:
        """A sentence saying why this agent can't do that template's work, or None."""

    def session(self, opening: Opening) -> AbstractAsyncContextManager[Session]: ...


@runtime_checkable
class KeepsSessions(Protocol):
    """What an agent can do besides whose sessions are kept by another program, and go on there when ours has
    ended."""

    async def end_left(self, names: Sequence[str]) -> Sequence[str]:
        """Ends the sessions that were opened under these names (`Opening.name`) and that nobody goes on
        with: the names of those that had to be ended. Raises BigtaskError where that can't be done."""
