"""What requests about templates hold."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bigtask.server.request_body import Body

Id = Annotated[str, Field(min_length=1, max_length=64)]


class DuplicateTemplate(Body):
    """Without `id`, one is made of the name."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["API migration"])]
    id: Id | None = None


class ImportTemplates(Body):
    """`replacing`: custom templates of the same id give way."""

    templates: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]
    replacing: bool = False


class PreviewTemplate(Body):
    """`template` is looked at in place of the one that is saved under the id."""

    phase: Annotated[str, Field(max_length=100, examples=["worker"])] = "worker"
    variables: dict[str, Any] = Field(default_factory=dict)
    template: dict[str, Any] | None = None


class ApproveTemplate(Body):
    """`digest` is that of what was shown: nobody approves what they haven't seen."""

    digest: Annotated[str, Field(min_length=1, max_length=200)]
