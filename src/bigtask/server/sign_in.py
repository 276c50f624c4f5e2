"""How a browser gets in: a link that works once, then a cookie and a key that only together are somebody."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bigtask import durable_file
from bigtask.sink import log

LINK_S = 15 * 60
SESSION_S = 12 * 60 * 60
"""A browser that hasn't asked for anything for so long has to sign in again."""
_SESSIONS = 64
_WRITE_S = 5 * 60
"""How often at most it is kept that somebody is still there."""
FAILURES = 10
WINDOW_S = 60.0
_ADDRESSES = 1_024

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """`cookie` goes into an HttpOnly cookie, which other servers of the same host may be sent as well: alone
    it opens nothing. `key` goes into a header, which only pages of this origin can send."""

    cookie: str
    key: str


class SignIns:
    """Of codes and cookies digests are kept. Browsers stay signed in when the server starts anew, where
    `file` is given; links don't outlive it."""

    def __init__(self, file: Path | None = None, clock: Clock = time.time) -> None:
        self._file = file
        self._clock = clock
        self._codes: dict[str, float] = {}
        self._sessions: dict[str, tuple[str, float]] = _read(file)
        self._written = clock()

    def new_code(self) -> str:
        now = self._clock()
        self._codes = {digest: until for digest, until in self._codes.items() if until > now}
        code = secrets.token_urlsafe(32)
        self._codes[_digest(code)] = now + LINK_S
        return code

    def sign_in(self, code: str) -> SignedIn | None:
        """None for a code that isn't one, was used, or is too old."""
        until = self._codes.pop(_digest(code), None)
        if until is None or until <= self._clock():
            return None
        signed_in = SignedIn(cookie=secrets.token_urlsafe(32), key=secrets.token_urlsafe(32))
        while len(self._sessions) >= _SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_digest(signed_in.cookie)] = (_digest(signed_in.key), self._clock() + SESSION_S)
        self._write()
        return signed_in

    def holds(self, cookie: str, key: str) -> bool:
        digest = _digest(cookie)
        kept, until = self._sessions.get(digest, ("", 0.0))
        now = self._clock()
        if until <= now:
            self._sessions.pop(digest, None)
            return False
        if not hmac.compare_digest(kept, _digest(key)):
            return False
        del self._sessions[digest]
        self._sessions[digest] = (kept, now + SESSION_S)
        if now - self._written > _WRITE_S:
            self._write()
        return True

    def sign_out(self, cookie: str) -> None:
        self._sessions.pop(_digest(cookie), None)
        self._write()

    def _write(self) -> None:
        self._written = self._clock()
        if self._file is None:
            return
        try:
            durable_file.replace(self._file, msgspec.json.encode(self._sessions))
        except OSError as error:
            log("Server").warning("who is signed in can't be kept: %s", error)


def _read(file: Path | None) -> dict[str, tuple[str, float]]:
    if file is None:
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, tuple[str, float]])
    except (OSError, msgspec.DecodeError):
        return {}  # whoever was signed in gets a new link


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


class Failures:
    """Counts wrong credentials by address: more than 10 in a minute, and an address is told to wait. A right
    one is let in all the same: with 256 bits nobody guesses it, and nobody can lock the owner out."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._by_address: dict[str, deque[float]] = {}

    def count(self, address: str) -> float:
        """Seconds to wait; 0.0 while there were few."""
        now = self._clock()
        failed = self._by_address.setdefault(address, deque(maxlen=FAILURES))
        if len(self._by_address) > _ADDRESSES:
            del self._by_address[next(iter(self._by_address))]
        if len(failed) == FAILURES and failed[0] > now - WINDOW_S:
            return failed[0] + WINDOW_S - now
        failed.append(now)
        return 0.0
