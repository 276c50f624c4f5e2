"""Who may do what: the three kinds of callers, and which of them a route is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    OWNER = "owner"
    """The person whose machine this is: everything."""
    DELEGATE = "delegate"
    """A program or agent that acts for them: it never confirms, answers, merges or raises."""
    ATTEMPT = "attempt"
    """One attempt of one task, for as long as it is under way."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """`name` is recorded with what the caller decides; `attempt` is whose a caller of that role is, as run,
    task and number."""

    role: Role
    name: str
    attempt: tuple[str, str, int] | None = None


MARK = "x-roles"
"""The key of an operation in the OpenAPI document under which its roles stand."""


def open_to(*roles: Role) -> dict[str, Any]:
    """For a route's `openapi_extra`. A route that says nothing is the owner's alone."""
    return {MARK: [role.value for role in roles]}


OWNER = open_to(Role.OWNER)
DELEGATE = open_to(Role.OWNER, Role.DELEGATE)
ATTEMPT = open_to(Role.ATTEMPT)
EVERYBODY = open_to(*Role)
"""Everybody who is known: a credential is needed all the same."""
