"""What requests about runs hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bigtask.server.request_body import Body

Text = Annotated[str, Field(max_length=200_000)]


class RunOptions(Body):
    """What is left out comes from the configuration and the template."""

    auto_spawn: bool | None = None
    max_workers: Annotated[int, Field(ge=1, le=64)] | None = None
    worker_timeout_ms: Annotated[int, Field(ge=10_000, le=86_400_000)] | None = None
    """How long one attempt may be active."""
    agent: Annotated[str, Field(max_length=4096)] | None = None
    agent_for: dict[str, Annotated[str, Field(max_length=4096)]] | None = None
    """Who does a phase instead, by the names of phases."""
    # JSON has no tuples: a list is what arrives.
    fallback: Annotated[tuple[Annotated[str, Field(max_length=4096)], ...], Field(strict=False)] | None = None
    """Who does the work of an agent that can't work here: the first of these that can."""
    model_for: dict[str, Annotated[str, Field(max_length=200)]] | None = None
    """With which model a phase is done, by the names of phases."""
    model: Annotated[str, Field(max_length=200)] | None = None
    effort: Annotated[str, Field(max_length=200)] | None = None
    base: Annotated[str, Field(max_length=1000)] | None = None
    include_changes: bool | None = None
    max_budget_usd: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    permission_mode: Annotated[str, Field(max_length=100)] | None = None
    project_rules: bool | None = None
    isolation: Annotated[str, Field(max_length=100)] | None = None
    custom_instructions: Text | None = None


class CreateRun(Body):
    """`cwd` is the absolute path of the project on the server's machine."""

    template_id: Annotated[str, Field(min_length=1, max_length=64, examples=["documentation"])]
    cwd: Annotated[str, Field(min_length=1, max_length=4096, examples=["/home/ada/project"])]
    message: Annotated[str, Field(min_length=1, max_length=1_000_000, examples=["Document every module"])]
    custom_variables: dict[str, Any] = Field(default_factory=dict)
    options: RunOptions = RunOptions()


class PauseRun(Body):
    """`now` ends attempts that are under way instead of waiting for their next safe point."""

    now: bool = False


class EditRunPlan(Body):
    """`edits` in order, each by its `op`: `add` with `task`, `drop` with `id`, `set` with `id` and `fields`,
    `merge` with `ids` and `task`, `reorder` with `ids`. All of them or none."""

    revision: Annotated[int, Field(ge=0)] | None = None
    edits: Annotated[
        list[dict[str, Any]],
        Field(max_length=10_000, examples=[[{"op": "set", "id": "docs-api", "fields": {"priority": 1}}]]),
    ]


class TaskModification(Body):
    skip: bool = False
    priority: Annotated[int, Field(ge=1, le=10)] | None = None


class ConfirmRun(Body):
    revision: Annotated[int, Field(ge=0)] | None = None
    modifications: dict[str, TaskModification] = Field(default_factory=dict)


class AnswerWaiting(Body):
    """`data` is what the agent should have answered, where `answer` is `edit`."""

    waiting_id: Annotated[str, Field(min_length=1, max_length=200)]
    answer: Annotated[str, Field(min_length=1, max_length=200)]
    scope: Literal["once", "task", "run", "repository"] = "once"
    data: dict[str, Any] | None = None


class SayToWorker(Body):
    text: Annotated[str, Field(min_length=1, max_length=200_000)]


class ReportProgress(Body):
    percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, strict=False)] | None = None
    action: Annotated[str, Field(max_length=2_000, examples=["Writing the tests"])] = ""
    files_done: Annotated[int, Field(ge=0, le=1 << 31)] | None = None
    files_total: Annotated[int, Field(ge=0, le=1 << 31)] | None = None
