"""Finds the blocks in what an agent says.

A scanner over two fixed strings: linear in the text, with memory bounded by one block and one MiB before
it, and the same results wherever a stream was cut. The words of the text never decide what a block is.

A start delimiter inside a block begins a new one: the block that it interrupts is invalid. An end delimiter
outside a block is ordinary text.
"""

from __future__ import annotations

from msgspec.structs import replace

from bigtask.protocol.bounded_json import BLOCK_LIMIT, TOO_LONG
from bigtask.protocol.bounded_text import Head, Tail
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER, check_delimiters, without_remnant
from bigtask.protocol.heuristics import suggest
from bigtask.protocol.mending_effort import Effort
from bigtask.protocol.reading import read_block, storable
from bigtask.protocol.response import Quality, Response


class ResponseParser:
    """One parser reads one message at a time: `close` makes it ready for the next one.

    Raises `InvalidInput` for delimiters that can't be used; no text makes it raise.
    """

    def __init__(self, start_delimiter: str = START_DELIMITER, end_delimiter: str = END_DELIMITER) -> None:
        check_delimiters(start_delimiter, end_delimiter)
        self._start = start_delimiter
        self._end = end_delimiter
        self._longest = max(len(start_delimiter), len(end_delimiter))
        self._reset()

    def _reset(self) -> None:
        self._pending = ""
        self._before = Tail(BLOCK_LIMIT)
        self._open = False
        self._inside: Head | None = None
        self._effort = Effort()

    def parse(self, text: str) -> Response:
        """The first block. Without any, a heuristic response with the phase that words of the text suggest,
        or an invalid one where they suggest none."""
        blocks = self.parse_all(text)
        return blocks[0] if blocks else self._nothing(text)

    def parse_all(self, text: str) -> list[Response]:
        """Every block of a finished message, in order, each with the text up to the next one."""
        parser = ResponseParser(self._start, self._end)
        blocks = [*parser.feed(text), *parser._finish()]
        # What is before a block is what is after the one before it.
        afters = [*(block.before_text for block in blocks), storable(parser._before.text)][1:]
        return [
            replace(block, after_text=after) if after else block
            for block, after in zip(blocks, afters, strict=True)
        ]

    def feed(self, piece: str) -> list[Response]:
        """The blocks that this piece of a message ends, with an empty `after_text`: it isn't known yet."""
        window = self._pending + piece
        found: list[Response] = []
        at = 0
        # Each delimiter is looked for from where the last one of its kind ended: looking for the same far end
        # again from every start would be quadratic.
        start, end = window.find(self._start), window.find(self._end)
        while start >= 0 or end >= 0:
            opens = end < 0 or 0 <= start < end
            position, length = (start, len(self._start)) if opens else (end, len(self._end))
            after = position + length
            if self._open:
                found.append(self._read(window[at:position], interrupted=opens))
            else:
                self._before.add(window[at : position if opens else after])
            self._open = opens
            at = after
            if 0 <= start < at:
                start = window.find(self._start, at)
            if 0 <= end < at:
                end = window.find(self._end, at)
        # The beginning of a delimiter may stand at the end.
        keep = max(at, len(window) - self._longest + 1)
        self._take(window[at:keep])
        self._pending = window[keep:]
        return found

    def close(self) -> list[Response]:
        """The message is finished: a block without its end counts if it is whole otherwise."""
        found = self._finish()
        self._reset()
        return found

    def _finish(self) -> list[Response]:
        last, self._pending = self._pending, ""
        if not self._open:
            self._before.add(last)
            return []
        self._open = False
        block = self._read(last, ended=False)
        if not block.usable and (whole := without_remnant(block.raw, self._end)) != block.raw:
            block = read_block(whole, block.before_text, ended=False, effort=self._effort)
        if block.usable:
            repairs = (*block.repairs, "added the missing end delimiter")
            return [replace(block, quality=Quality.REPAIRED, repairs=repairs)]
        return [replace(block, errors=(f"the block doesn't end with {self._end}", *block.errors))]

    def _read(self, last: str, *, ended: bool = True, interrupted: bool = False) -> Response:
        """The block of which `last` is the end, or all of it."""
        before = storable(self._before.take())
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.add(last)
            last = inside.text
        error = f"another block begins before this one ended with {self._end}" if interrupted else ""
        if interrupted and self._effort.spent:
            # It is wrong whatever it holds, and a text may be made of thousands of them.
            raw = storable(last[:BLOCK_LIMIT])
            return Response(quality=Quality.INVALID, errors=(error,), before_text=before, raw=raw)
        if len(last) > BLOCK_LIMIT or (inside is not None and inside.cut):
            raw = storable(last[:BLOCK_LIMIT])
            block = Response(quality=Quality.INVALID, errors=(TOO_LONG,), before_text=before, raw=raw)
        else:
            block = read_block(last, before, ended=ended, effort=self._effort)
        if interrupted:
            return replace(block, quality=Quality.INVALID, errors=(error, *block.errors))
        return block

    def _take(self, text: str) -> None:
        if not self._open:
            self._before.add(text)
        elif text:
            self._inside = self._inside or Head(BLOCK_LIMIT)
            self._inside.add(text)

    def _nothing(self, text: str) -> Response:
        suggestion = suggest(text)
        return Response(
            quality=Quality.INVALID if suggestion is None else Quality.HEURISTIC,
            phase=None if suggestion is None else suggestion.phase,
            confidence=None if suggestion is None else suggestion.confidence,
            errors=(f"there is no block between {self._start} and {self._end}",),
            raw=storable(text[:BLOCK_LIMIT]),
        )
