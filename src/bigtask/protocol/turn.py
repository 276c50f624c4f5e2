"""The text of one turn, heard piece by piece: progress as it comes, and the verdict at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from bigtask.protocol.belief import Accepted, AskAgain, Verdict, accept, believed_progress, carries
from bigtask.protocol.bounded_text import Tail
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from bigtask.protocol.heuristics import READ
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.reading import read_value
from bigtask.protocol.response import Response

_MOST_ANSWERS = 8


class TurnReading:
    """Pieces arrive in order; a block never reaches from one message into the next.

    Raises `InvalidInput` for delimiters that can't be used.
    """

    def __init__(
        self,
        *,
        nonce: str,
        phase: str,
        task_id: str | None = None,
        start_delimiter: str = START_DELIMITER,
        end_delimiter: str = END_DELIMITER,
    ) -> None:
        self._nonce = nonce
        self._phase = phase
        self._task_id = task_id
        self._parser = ResponseParser(start_delimiter, end_delimiter)
        self._message: int | None = None
        self._said = Tail(READ)
        self._earlier: list[Response] = []
        self._answers: list[Response] = []
        self._others: list[Response] = []
        self._too_many = False
        self._reported: Verdict | None = None

    def take(self, phase: str, data: Mapping[str, Any]) -> tuple[Response, ...]:
        """A report by a tool call or a schema result. Its session vouches for it, so it needs no nonce, and
        it stands above any text. Of several, the last that can be used counts. Returns progress, as `hear`.
        """
        response = read_value(phase, data, self._nonce)
        if phase == "progress" and self._phase != "progress":
            return believed_progress([response], nonce=self._nonce, task_id=self._task_id)
        verdict = accept([[response]], nonce=self._nonce, phase=self._phase, task_id=self._task_id)
        if isinstance(verdict, Accepted) or not isinstance(self._reported, Accepted):
            self._reported = verdict
        return ()

    def hear(self, piece: str, message: int = 0) -> tuple[Response, ...]:
        """The progress reports that this piece completes."""
        progress: tuple[Response, ...] = ()
        if self._message is not None and message != self._message:
            progress = self._keep(self._parser.close())
            self._earlier = [*self._earlier, *self._answers][-_MOST_ANSWERS:]
            self._answers, self._others, self._too_many = [], [], False
            self._said.take()
        self._message = message
        self._said.add(piece)
        return (*progress, *self._keep(self._parser.feed(piece)))

    def finish(self) -> Verdict:
        """For a turn that ended by itself: one that was interrupted or lost has no verdict."""
        self._keep(self._parser.close())
        if self._reported is not None:
            return self._reported
        if self._too_many:
            return AskAgain(
                errors=(f"your last message holds more than {_MOST_ANSWERS} {self._phase} blocks: give one",)
            )
        return accept(
            [self._earlier, [*self._answers, *self._others]],
            nonce=self._nonce,
            phase=self._phase,
            task_id=self._task_id,
            said=self._said.text,
        )

    def _keep(self, blocks: list[Response]) -> tuple[Response, ...]:
        if not blocks:
            return ()
        for block in blocks:
            if not carries(block, self._nonce):
                # Only its errors are still of use, and those of the last few are enough.
                slim = replace(block, data={}, raw="", before_text="")
                self._others = [*self._others[1 - _MOST_ANSWERS :], slim]
            elif block.phase == "progress" and self._phase != "progress":
                continue
            elif len(self._answers) == _MOST_ANSWERS:
                self._too_many = True
            else:
                self._answers.append(block)
        return believed_progress(blocks, nonce=self._nonce, task_id=self._task_id)
