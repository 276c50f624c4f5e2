"""The tokens by which programs are known, and where they lie."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from bigtask import durable_file
from bigtask.errors import InvalidInput
from bigtask.host.home import Home
from bigtask.server.role import Caller, Role

_BYTES = 32
_ATTEMPT = "attempt"


class Credentials:
    """Made with the home's `server/` (mode 0700) when it is first used. `is_live(run, task, number)` says
    whether an attempt is under way."""

    def __init__(self, folder: Path, *, who: str, is_live: Callable[[str, str, int], bool]) -> None:
        """Raises InvalidInput where somebody else could read the tokens, or nothing can be written."""
        make_private(folder)
        self.owner_file = folder / "token"
        self.delegate_file = folder / "delegate-token"
        self._owner = _kept(self.owner_file)
        self._delegate = _kept(self.delegate_file)
        self._who = who
        self._is_live = is_live

    @property
    def signed_in(self) -> Caller:
        """Who has come in by a link."""
        return Caller(role=Role.OWNER, name=self._who)

    def caller(self, token: str) -> Caller | None:
        """Whose token it is; None for a token that is nobody's or has expired."""
        given = token.encode()
        # Each is compared whole, so that the time it takes tells nothing.
        owner = hmac.compare_digest(given, self._owner.encode())
        delegate = hmac.compare_digest(given, self._delegate.encode())
        if owner:
            return self.signed_in
        if delegate:
            return Caller(role=Role.DELEGATE, name="delegate")
        return self._attempt(token)

    def of_attempt(self, run_id: str, task_id: str, number: int) -> str:
        """A token that holds while this attempt is under way. It needn't be kept: it can be told again."""
        named = f"{_ATTEMPT}.{run_id}.{task_id}.{number}"
        return f"{named}.{self._seal(named)}"

    def _attempt(self, token: str) -> Caller | None:
        named, _, seal = token.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(named).encode()):
            return None
        _, run_id, rest = named.split(".", 2)
        task_id, _, number = rest.rpartition(".")
        attempt = (run_id, task_id, int(number))
        if not self._is_live(*attempt):
            return None
        return Caller(role=Role.ATTEMPT, name=f"attempt {number} at {task_id}", attempt=attempt)

    def _seal(self, named: str) -> str:
        return hmac.new(self._owner.encode(), named.encode(), hashlib.sha256).hexdigest()


def folder_of(home: Home) -> Path:
    return home.path / "server"


def make_private(folder: Path) -> None:
    """Raises InvalidInput where it can't be the person's alone."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise InvalidInput(
            f"{folder} can't be made: {error.strerror}. Set BIGTASK_HOME to a folder that you can write to"
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise InvalidInput(f"{folder} isn't a folder of yours: remove it, and start the server again")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def _kept(file: Path) -> str:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as opened:
            found = os.fstat(opened.fileno())
            content = opened.read(1024).decode("ascii", errors="replace").strip()
    except FileNotFoundError:
        return _made(file)
    except OSError as error:
        raise InvalidInput(
            f"{file} can't be read ({error.strerror}): remove it, and a new one is made"
        ) from None
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise InvalidInput(
            f"{file} can be read by others, so its token may be known: remove it, and a new one is made"
        )
    # A crash can leave the file empty; an empty token must never be accepted.
    return content if len(content) >= _BYTES else _made(file)


def _made(file: Path) -> str:
    token = secrets.token_urlsafe(_BYTES)
    try:
        durable_file.replace(file, token.encode() + b"\n")
    except OSError as error:
        raise InvalidInput(f"{file} can't be written: {error.strerror}") from None
    return token
