"""Requests that may be repeated: under one key, one run.

The id of the run is kept before the run is made, so that a request whose answer got lost is answered with the
run that it made, also by the next server; one that had made nothing yet makes it now, under that id.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from bigtask import durable_file
from bigtask.errors import Conflict, InvalidInput
from bigtask.host.home import new_run_id

KEPT_S = 7 * 24 * 60 * 60
_LONGEST = 255


class _Kept(msgspec.Struct, frozen=True):
    run_id: str
    digest: str


class Once:
    """One file a key in `folder`, for a week. One process uses it at a time: the server that leads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}
        self._forget_old()

    @asynccontextmanager
    async def run_id(self, key: str | None, request: bytes) -> AsyncIterator[str]:
        """The id that the run of this request has or will have; whoever repeats it waits for the block.

        Raises InvalidInput for what can't be a key, Conflict where it was used for another request.
        """
        if key is None:
            yield new_run_id(time.time_ns() // 1_000_000)
            return
        if not key or len(key) > _LONGEST or not key.isascii() or not key.isprintable():
            raise InvalidInput(
                f"an Idempotency-Key has 1 to {_LONGEST} printable ASCII characters: use a UUID"
            )
        name = hashlib.sha256(key.encode()).hexdigest()
        async with self._locks.setdefault(name, asyncio.Lock()):
            yield self._kept(self._folder / name, hashlib.sha256(request).hexdigest())

    def _kept(self, file: Path, digest: str) -> str:
        with suppress(FileNotFoundError, msgspec.DecodeError):
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
            if kept.digest != digest:
                raise Conflict(
                    "this Idempotency-Key was used for another request: use a new one for each run"
                )
            return kept.run_id
        run_id = new_run_id(time.time_ns() // 1_000_000)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        durable_file.replace(file, msgspec.json.encode(_Kept(run_id, digest)))
        return run_id

    def _forget_old(self) -> None:
        with suppress(FileNotFoundError):
            for file in self._folder.iterdir():
                if file.stat().st_mtime < time.time() - KEPT_S:
                    file.unlink()
