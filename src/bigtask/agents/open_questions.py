"""The questions of one session that wait for a person."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bigtask.agents.protocol import PermissionAsked


class OpenQuestions:
    """The ids of its questions are `NAME:1`, `NAME:2` and so on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked = 0
        self._open: dict[str, asyncio.Future[str | None]] = {}

    @property
    def waiting(self) -> bool:
        return bool(self._open)

    @contextmanager
    def asking(
        self, question: str, options: Sequence[str], *, tool: str, subject: str
    ) -> Iterator[tuple[PermissionAsked, asyncio.Future[str | None]]]:
        """The question is open while the block runs. Its answer is None where it is withdrawn."""
        self._asked += 1
        request_id = f"{self._name}:{self._asked}"
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._open[request_id] = answer
        try:
            yield (
                PermissionAsked(
                    request_id=request_id,
                    question=question,
                    options=tuple(options),
                    tool=tool,
                    subject=subject,
                ),
                answer,
            )
        finally:
            del self._open[request_id]

    def answer(self, request_id: str, answer: str) -> None:
        """An answer can cross the end of its turn: one that nothing waits for is dropped."""
        waiting = self._open.get(request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def withdraw(self) -> None:
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_result(None)
