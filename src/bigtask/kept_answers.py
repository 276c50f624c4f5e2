"""Answers to permissions that hold for a repository: given once, in one run, and good for all that follow.

They are kept in the home of bigtask, by the path of the repository's top folder, and each covers exactly what
was asked. One that was revoked stays in the file, so that no run that still remembers it brings it back.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bigtask import durable_file
from bigtask.errors import InvalidInput, NotFound

_ID_LENGTH = 8


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`rule` is what it covers, as in `core.permissions`. Times are in ms since the epoch."""

    id: str
    repository: str
    rule: str
    answer: str
    by: str
    at: int
    run_id: str
    revoked_at: int | None = None
    revoked_by: str = ""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    answers: tuple[KeptAnswer, ...] = ()


def id_of(run_id: str, waiting_id: str) -> str:
    """The id of a kept answer: made of what it answered, so that keeping it twice gives the same id."""
    return hashlib.sha256(f"{run_id} {waiting_id}".encode()).hexdigest()[:_ID_LENGTH]


class KeptAnswers:
    """Kept in `file`, which is made by the first answer. Safe with several processes.

    Every method raises InvalidInput where the file can't be read or written: what can't be read answers
    nothing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[tuple[int, int], tuple[KeptAnswer, ...]] | None = None

    def listed(self) -> tuple[KeptAnswer, ...]:
        """The answers that still hold, oldest first."""
        return tuple(kept for kept in self._all() if kept.revoked_at is None)

    def about(self, repository: Path, rule: str) -> KeptAnswer | None:
        """The last answer that covers exactly this there."""
        where = str(repository.absolute())
        fits = [kept for kept in self.listed() if (kept.repository, kept.rule) == (where, rule)]
        return fits[-1] if fits else None

    def keep(
        self, repository: Path, *, rule: str, answer: str, by: str, at: int, run_id: str, waiting_id: str
    ) -> None:
        """Does nothing where this answer was kept before, also when it has been revoked since."""
        kept = KeptAnswer(
            id=id_of(run_id, waiting_id),
            repository=str(repository.absolute()),
            rule=rule,
            answer=answer,
            by=by,
            at=at,
            run_id=run_id,
        )

        def added(before: tuple[KeptAnswer, ...]) -> tuple[KeptAnswer, ...]:
            return before if any(each.id == kept.id for each in before) else (*before, kept)

        self._change(added)

    def revoke(self, id: str, *, by: str) -> KeptAnswer:
        """By its id or the beginning of one. Raises NotFound where none holds, or several begin so."""
        found = [kept for kept in self.listed() if id and kept.id.startswith(id)]
        if len(found) != 1:
            what = f"fits {len(found)} of them: give more of it" if found else "isn't one of them"
            raise NotFound(f"{id!r} {what} (`bigtask permissions` lists what is kept)")
        now = time.time_ns() // 1_000_000
        revoked = msgspec.structs.replace(found[0], revoked_at=now, revoked_by=by)
        self._change(lambda before: tuple(revoked if each.id == revoked.id else each for each in before))
        return revoked

    def _all(self) -> tuple[KeptAnswer, ...]:
        try:
            seen = os.stat(self._file)
            mark = (seen.st_mtime_ns, seen.st_ino)
            if self._seen is None or self._seen[0] != mark:
                self._seen = mark, msgspec.json.decode(self._file.read_bytes(), type=_Kept).answers
            return self._seen[1]
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError) as error:
            raise InvalidInput(
                f"the kept permissions in {self._file} can't be read ({error}): "
                "mend that file, or remove it and answer again"
            ) from None

    def _change(self, change: Callable[[tuple[KeptAnswer, ...]], tuple[KeptAnswer, ...]]) -> None:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with durable_file.alone(self._file.with_suffix(".lock")):
                before = self._all()
                after = change(before)
                if after != before:
                    told = msgspec.json.format(msgspec.json.encode(_Kept(answers=after)), indent=2)
                    durable_file.replace(self._file, told + b"\n")
        except OSError as error:
            raise InvalidInput(
                f"the kept permissions in {self._file} can't be written: {error.strerror}. "
                "Set BIGTASK_HOME to a folder that you can write to"
            ) from None
