"""Parts of one document, written by several tasks, put after one another in the order of the plan. Pure.

A part is what a task added at the end of a file, or the whole of a file that it made. Whoever changed
anything before the end wrote no part, and then nothing is joined by this rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file as one task found it and as it left it; empty where it wasn't there before."""

    before: bytes
    after: bytes

    @property
    def part(self) -> bytes | None:
        """None where the task did something else than adding at the end."""
        if not self.after.startswith(self.before):
            return None
        added = self.after[len(self.before) :]
        if not self.before or self.before.endswith(b"\n"):
            return added
        # The file had no newline at its end: the first one is the end of that line.
        return added[1:] if added.startswith(b"\n") else None


def joined(base: bytes, ours: bytes, written: Sequence[Written], mine: int) -> bytes | None:
    """The whole document, or None where `written[mine]` is no part.

    `written` are the tasks whose work touches the file, in the order in which their parts belong; all but
    `mine` are in `ours` already. `base` is what the run began with. Where something else happened to the
    file since, so that places can't be told any more, the new part comes at the end. A line that no newline
    ends gets one before the next part.
    """
    own = written[mine].part
    if own is None:
        return None
    others = [one.part for place, one in enumerate(written) if place != mine]
    if all(part is not None for part in others) and _after_one_another((base, *_parts(others))) == _ended(
        ours
    ):
        return _after_one_another((base, *_parts(one.part for one in written)))
    if Written(before=written[mine].before, after=ours).part is None:
        return None
    return _after_one_another((ours, own))


def _parts(found: Iterable[bytes | None]) -> list[bytes]:
    return [part for part in found if part is not None]


def _after_one_another(pieces: Iterable[bytes]) -> bytes:
    return b"".join(_ended(piece) for piece in pieces)


def _ended(piece: bytes) -> bytes:
    return piece + b"\n" if piece and not piece.endswith(b"\n") else piece
