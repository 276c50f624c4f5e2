"""What a session of an attempt is opened with."""

from __future__ import annotations

from collections.abc import Mapping

from bigtask.agents.protocol import Agent, Opening, UsageReported
from bigtask.core.budget import left_usd
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import Phase
from bigtask.core.values import RESERVED, Task, Usage
from bigtask.host import nesting
from bigtask.workspaces.values import Workspace


def opening_of(
    run: Run,
    record: TaskRecord,
    attempt: Attempt,
    agent: Agent,
    workspace: Workspace,
    *,
    env: Mapping[str, str],
    read_only: bool,
    project_settings: bool,
) -> Opening:
    """`env` is what the session gets beside what its workspace and its depth say."""
    task, settings = record.task, run.settings
    # A model's name says nothing to the agent that a person has chosen instead.
    phase = RESERVED.get(task.id, Phase.WORKER_EXECUTION)
    instead = agent.name != (task.agent or settings.agent_of(phase))
    left = left_usd(run, task.id)
    return Opening(
        name=attempt.session_name,
        cwd=workspace.path,
        env={**env, **workspace.env, **nesting.told(settings.depth, left)},
        read_only=read_only,
        permission_mode=settings.permission_mode,
        model=None if instead else task.model or _model_of_phase(run, task, phase),
        effort=settings.effort,
        resume=attempt.session_id,
        used=_reported(attempt.usage) if attempt.session_id is not None else None,
        rules=settings.permissions,
        budget_usd=left,
        project_settings=project_settings,
        poll_interval_ms=settings.poll_interval_ms,
    )


def _model_of_phase(run: Run, task: Task, phase: Phase) -> str | None:
    """Unless the task is another agent's than the phase."""
    same = task.agent is None or task.agent == run.settings.agent_of(phase)
    return run.settings.model_of(phase) if same else None


def _reported(usage: Usage) -> UsageReported:
    return UsageReported(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=usage.cost_usd
    )
