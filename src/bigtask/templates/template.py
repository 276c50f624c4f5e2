"""A resolved template as typed values. The defaults and bounds stand here and, for editors and for checking
with good sentences, in schema.json; a test holds the two together.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from bigtask.errors import InvalidTemplate
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from bigtask.templates.identity import ID_PATTERN

# Python's `$` also matches before a last newline; JSON Schema's doesn't. The look-ahead makes them agree.
Id = Annotated[str, Meta(pattern=f"^{ID_PATTERN}$(?!\\n)")]
Words = Annotated[str, Meta(min_length=1)]
Delimiter = Annotated[str, Meta(min_length=3)]
Milliseconds = Annotated[int, Meta(ge=10_000, le=86_400_000)]
Command = Annotated[tuple[Words, ...], Meta(min_length=1)]
"""An argument list: the program, then its arguments. No shell ever reads it."""


class _Part(Struct, frozen=True, rename="camel"):
    pass


class Config(_Part, frozen=True, kw_only=True):
    """The limits of a run. None leaves a setting to the installation, the agent or the person."""

    max_workers: Annotated[int, Meta(ge=1, le=64)] = 5
    worker_timeout_ms: Milliseconds = field(default=300_000, name="workerTimeout")
    stall_after_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = field(default=180_000, name="stallAfter")
    auto_spawn: bool = False
    parallel_execution: bool = True
    retry_on_error: bool = True
    max_retries: Annotated[int, Meta(ge=0, le=10)] = 2
    poll_interval_ms: Annotated[int, Meta(ge=100, le=30_000)] = field(default=2_000, name="pollInterval")
    spawn_delay_ms: Annotated[int, Meta(ge=0, le=60_000)] = field(default=500, name="spawnDelay")
    agent: Words | None = None
    model: Words | None = None
    effort: Words | None = None
    isolation: Literal["worktree", "none"] = "worktree"
    include: tuple[Words, ...] | None = None
    setup: tuple[Command, ...] = ()
    max_budget_usd: Annotated[float, Meta(gt=0)] | None = None
    max_tokens: Annotated[int, Meta(gt=0)] | None = None
    permission_mode: Literal["ask", "acceptEdits", "readOnly", "all"] = "ask"
    hide_workers_from_list: bool = True
    session_prefix: Words = "__orch_"


class AnalysisValidation(_Part, frozen=True, kw_only=True):
    required_fields: tuple[Words, ...] = ("summary", "recommended_splits")


class Analysis(_Part, frozen=True, kw_only=True):
    enabled: bool = True
    agent: Words | None = None
    model: Words | None = None
    timeout_ms: Milliseconds = field(default=600_000, name="timeout")
    validation: AnalysisValidation = AnalysisValidation()


class PlanValidation(_Part, frozen=True, kw_only=True):
    min_tasks: Annotated[int, Meta(ge=1, le=1_000)] = 1
    max_tasks: Annotated[int, Meta(ge=1, le=10_000)] = 50
    require_scope: bool = False
    require_dependencies: bool = False


class TaskPlanning(_Part, frozen=True, kw_only=True):
    enabled: bool = True
    agent: Words | None = None
    model: Words | None = None
    timeout_ms: Milliseconds = field(default=600_000, name="timeout")
    validation: PlanValidation = PlanValidation()


class WorkerExecution(_Part, frozen=True, kw_only=True):
    """Without a `timeout_ms` the phase lasts as long as its workers."""

    enabled: bool = True
    agent: Words | None = None
    model: Words | None = None
    timeout_ms: Milliseconds | None = field(default=None, name="timeout")
    progress_reporting: bool = True
    progress_interval_ms: Annotated[int, Meta(ge=1_000, le=3_600_000)] = field(
        default=30_000, name="progressInterval"
    )
    accept_partial: bool = False


class Aggregation(_Part, frozen=True, kw_only=True):
    """`combine` and `on_conflict` govern every merge, also when the phase is disabled."""

    enabled: bool = True
    agent: Words | None = None
    model: Words | None = None
    timeout_ms: Milliseconds = field(default=900_000, name="timeout")
    combine: Literal["git", "concatenate"] = "git"
    on_conflict: Literal["ask", "resolve", "first", "last"] = "ask"


class Verification(_Part, frozen=True, kw_only=True):
    enabled: bool = False
    agent: Words | None = None
    model: Words | None = None
    timeout_ms: Milliseconds = field(default=900_000, name="timeout")
    commands: tuple[Command, ...] = ()
    allowed_commands: tuple[Command, ...] = ()
    auto_fix: bool = False
    max_fixes: Annotated[int, Meta(ge=0, le=10)] = 1


class Phases(_Part, frozen=True, kw_only=True):
    analysis: Analysis = Analysis()
    task_planning: TaskPlanning = TaskPlanning()
    worker_execution: WorkerExecution = WorkerExecution()
    aggregation: Aggregation = Aggregation()
    verification: Verification = Verification()


class ResponseFormat(_Part, frozen=True, kw_only=True):
    start_delimiter: Delimiter = START_DELIMITER
    end_delimiter: Delimiter = END_DELIMITER


class Format(_Part, frozen=True, kw_only=True):
    """Which fields of the answer this prompt asks for beyond what the protocol itself requires."""

    required_fields: tuple[Words, ...] = ()
    optional_fields: tuple[Words, ...] = ()
    task_schema: Mapping[str, Any] = {}


class PromptPair(_Part, frozen=True, kw_only=True):
    system: Words
    user: str = ""
    format: Format = Format()


class Prompts(_Part, frozen=True, kw_only=True):
    analysis: PromptPair
    task_planning: PromptPair
    worker: PromptPair
    aggregation: PromptPair
    verification: PromptPair
    response_format: ResponseFormat = ResponseFormat()


class Hooks(_Part, frozen=True, kw_only=True):
    on_analysis_complete: Command | None = None
    on_tasks_generated: Command | None = None
    on_worker_start: Command | None = None
    on_worker_complete: Command | None = None
    on_all_workers_complete: Command | None = None
    on_error: Command | None = None


class Ui(_Part, frozen=True, kw_only=True):
    color: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$(?!\\n)")] | None = None
    icon: str | None = None
    show_worker_details: bool = True
    show_token_estimate: bool = True
    show_progress_bar: bool = True
    progress_style: Literal["bar", "ring", "text"] = "bar"
    worker_columns: tuple[
        Literal[
            "id",
            "title",
            "status",
            "progress",
            "action",
            "agent",
            "attempt",
            "tools",
            "tokens",
            "cost",
            "elapsed",
        ],
        ...,
    ] = ("title", "status", "progress", "tools", "cost", "elapsed")


class Template(_Part, frozen=True, kw_only=True):
    """`raw` is the resolved JSON that this was made from: what a run keeps."""

    id: Id
    name: Words
    prompts: Prompts
    raw: Mapping[str, Any]
    description: str = ""
    icon: str = ""
    author: str = ""
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$(?!\n)")] = "1.0.0"
    tags: tuple[str, ...] = ()
    config: Config = Config()
    phases: Phases = Phases()
    variables: Mapping[str, str | bool | int | float] = {}
    hooks: Hooks = Hooks()
    ui: Ui = Ui()


def thaw(resolved: Mapping[str, Any]) -> Template:
    """The typed value of resolved JSON, from a file or out of a run. It keeps a copy of its own.

    Raises `InvalidTemplate`. Unknown keys are passed over, so that a run made by a newer bigtask still
    opens; `checking` is what names them to an author.
    """
    own = copy.deepcopy(dict(resolved))
    try:
        return msgspec.convert({**own, "raw": own}, Template)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        pointer = where.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
        raise InvalidTemplate(str(resolved.get("id", "without an id")), [(pointer, reason)]) from error
