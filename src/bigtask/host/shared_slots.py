"""What all runs of a home share: who has a slot of the machine, and the gates of accounts.

One small file, replaced under a lock. Each process that has something in it holds a lock on a file of its
own: the kernel lets go of that when the process ends, however it ends, and whoever looks next takes out what
it had.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec

from bigtask import durable_file
from bigtask.core import gate as gates
from bigtask.core.gate import Gate
from bigtask.core.slots import Seat
from bigtask.process.proc import boot_id
from bigtask.sink import log


class Shared(msgspec.Struct):
    """Names of seats and of passages through gates begin with their holder and a slash. `gates` are by
    account. `clock` and `wall` are the keeper's clock and the time of day when it was written, in ms."""

    boot: str = ""
    clock: int = 0
    wall: int = 0
    seats: dict[str, Seat] = {}
    gates: dict[str, Gate] = {}


class Keeper(Protocol):
    """Where a `Shared` is kept. What is changed inside `changing` is there for all at its end."""

    @property
    def holder(self) -> str:
        """What our names begin with."""

    @property
    def others(self) -> bool:
        """Whether other processes change it too."""

    def changing(self, now: int) -> AbstractContextManager[Shared]: ...

    def close(self) -> None: ...


class OwnSlots:
    """For this process alone."""

    others = False
    holder = "own"

    def __init__(self) -> None:
        self._shared = Shared()

    @contextmanager
    def changing(self, now: int) -> Iterator[Shared]:
        yield self._shared

    def close(self) -> None:
        """Nothing outlives the process."""


class SharedSlots:
    """In `folder`, which is made when something is first kept. Where the disk is full or can't be written, it
    goes on for this process alone, and says so once."""

    others = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "state.json"
        self._descriptor: int | None = None
        self._alone = Shared()
        self._told = False
        self.holder = secrets.token_hex(8)

    @contextmanager
    def changing(self, now: int) -> Iterator[Shared]:
        with self._locked():
            shared = self._alone if self._told else _read(self._state)
            before = msgspec.json.encode(shared)
            shared = _of_this_boot(shared, now)
            self._without_the_dead(shared)
            yield shared
            if msgspec.json.encode(shared) != before:
                self._keep(msgspec.structs.replace(shared, clock=now, wall=_wall_ms(), boot=boot_id()))

    def look(self, now: int) -> Shared:
        """A copy of the shared state, without the seats of processes that have ended."""
        if not self._state.exists():
            return Shared()
        with self.changing(now) as shared:
            return msgspec.structs.replace(shared, seats=dict(shared.seats), gates=dict(shared.gates))

    def close(self) -> None:
        """Lets go of what we still have there."""
        if self._descriptor is not None:
            with suppress(OSError), self.changing(clock_ms()) as shared:
                _take_out(shared, frozenset({self.holder}))
            os.close(self._descriptor)
            self._descriptor = None
            with suppress(FileNotFoundError):
                self._file_of(self.holder).unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            if self._descriptor is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = durable_file.alone(self._folder / "lock")
            lock.__enter__()
        except OSError as error:
            self._go_on_alone(error)
            yield
            return
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    def _keep(self, shared: Shared) -> None:
        self._alone = shared
        try:
            if self._descriptor is None and _mentions(shared, self.holder):
                self._descriptor = _held(self._file_of(self.holder))
            unfinished = self._state.with_suffix(".new")
            unfinished.write_bytes(msgspec.json.encode(shared))
            unfinished.replace(self._state)
        except OSError as error:
            self._go_on_alone(error)

    def _go_on_alone(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            log("OrchestratorManager").warning(
                "what runs share of this machine can't be kept in %s (%s): this run goes on without that",
                self._folder,
                error.strerror,
            )

    def _file_of(self, holder: str) -> Path:
        return self._folder / f"{holder}.holder"

    def _without_the_dead(self, shared: Shared) -> None:
        holders = {name.partition("/")[0] for name in (*shared.seats, *_through(shared))}
        dead = frozenset(h for h in holders - {self.holder} if not self._lives(h))
        if dead:
            _take_out(shared, dead)

    def _lives(self, holder: str) -> bool:
        path = self._file_of(holder)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            with suppress(FileNotFoundError):
                path.unlink()
            return False
        finally:
            os.close(descriptor)


def clock_ms() -> int:
    """Milliseconds since the machine was started, the time it slept included: the same for all processes,
    whatever happens to the time of day."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(kind) // 1_000_000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _read(path: Path) -> Shared:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Shared)
    except (OSError, msgspec.DecodeError):
        # What a power cut left of it, or another version: whoever is at work goes on, and keeps it anew.
        return Shared()


def _held(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _of_this_boot(shared: Shared, now: int) -> Shared:
    """After a restart of the machine nobody has a slot, and a limit lasts as long as it was told."""
    if shared.boot == boot_id() and shared.clock <= now:
        return shared
    passed = max(0, _wall_ms() - shared.wall)
    by_ms = now - (shared.clock + passed)
    left = {account: gates.only(gates.moved(gate, by_ms), ()) for account, gate in shared.gates.items()}
    return msgspec.structs.replace(shared, seats={}, gates=left)


def _mentions(shared: Shared, holder: str) -> bool:
    return any(name.startswith(f"{holder}/") for name in (*shared.seats, *_through(shared)))


def _through(shared: Shared) -> Iterator[str]:
    for gate in shared.gates.values():
        yield from gate.through


def _take_out(shared: Shared, holders: frozenset[str]) -> None:
    def stays(name: str) -> bool:
        return name.partition("/")[0] not in holders

    shared.seats = {name: seat for name, seat in shared.seats.items() if stays(name)}
    shared.gates = {
        account: gates.only(gate, frozenset(filter(stays, gate.through)))
        for account, gate in shared.gates.items()
    }


def until_wall_ms(until: int, now: int) -> int:
    """The time of day for a time of the keeper's clock, in ms since the epoch."""
    return _wall_ms() + until - now
