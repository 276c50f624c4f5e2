"""The moments of what a run does in a repository, for whoever watches them: crash tests cut in there.

A step is called `WORK:DEED`: WORK is one of `WORKS`, DEED the git command that is called, or `write`,
`remove` and `record` for what is done to files without git. There is a moment `before` it and one `after` it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Watch = Callable[[str, str], None]
"""Told `before` or `after`, and the step."""

WORKS = frozenset({"prepare", "branch", "commit", "merge", "keep", "take-out", "release", "apply", "undo"})

_Asked = ParamSpec("_Asked")
_Found = TypeVar("_Found")

# Several works go on at once, each in a task of its own.
_work: ContextVar[str] = ContextVar("work", default="")


def unwatched(when: str, step: str) -> None:
    """Nobody looks."""


def part_of(
    work: str,
) -> Callable[[Callable[_Asked, Awaitable[_Found]]], Callable[_Asked, Coroutine[Any, Any, _Found]]]:
    """Marks what the decorated function does, unless another one has called it."""
    assert work in WORKS

    def marked(
        function: Callable[_Asked, Awaitable[_Found]],
    ) -> Callable[_Asked, Coroutine[Any, Any, _Found]]:
        @wraps(function)
        async def doing(*args: _Asked.args, **kwargs: _Asked.kwargs) -> _Found:
            token = _work.set(_work.get() or work)
            try:
                return await function(*args, **kwargs)
            finally:
                _work.reset(token)

        return doing

    return marked


def step(deed: str) -> str:
    """The name of a step of the work that goes on."""
    return f"{_work.get() or 'look'}:{deed}"
