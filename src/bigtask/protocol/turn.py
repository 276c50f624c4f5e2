"""The text of one turn, heard piece by piece: progress as it comes, and the verdict at its end."""

from __future__ import annotations

from msgspec.structs import replace

from bigtask.protocol.belief import AskAgain, Verdict, accept, believed_progress
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from bigtask.protocol.parser import ResponseParser
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
        self._earlier: list[Response] = []
        self._answers: list[Response] = []
        self._others: list[Response] = []
        self._too_many = False

    def hear(self, piece: str, message: int = 0) -> tuple[Response, ...]:
        """The progress reports that this piece completes."""
        progress: tuple[Response, ...] = ()
        if self._message is not None and message != self._message:
            progress = self._keep(self._parser.close())
            self._earlier = [*self._earlier, *self._answers][-_MOST_ANSWERS:]
            self._answers, self._others, self._too_many = [], [], False
        self._message = message
        return (*progress, *self._keep(self._parser.feed(piece)))

    def finish(self) -> Verdict:
        """For a turn that ended by itself: one that was interrupted or lost has no verdict."""
        self._keep(self._parser.close())
        if self._too_many:
            return AskAgain(
                errors=(f"your last message holds more than {_MOST_ANSWERS} {self._phase} blocks: give one",)
            )
        return accept(
            [self._earlier, [*self._answers, *self._others]],
            nonce=self._nonce,
            phase=self._phase,
            task_id=self._task_id,
        )

    def _keep(self, blocks: list[Response]) -> tuple[Response, ...]:
        if not blocks:
            return ()
        for block in blocks:
            if block.nonce != self._nonce:
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
