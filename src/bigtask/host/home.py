"""Where bigtask keeps things: one folder for everything, one below it for each run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bigtask.errors import InvalidInput, NotFound
from bigtask.host.mounts import require_local

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 26


def new_run_id(now_ms: int, entropy: int | None = None) -> str:
    """A lowercase ULID (48 bits of time, 80 of chance): sorts by time, is safe as a file and branch name."""
    chance = secrets.randbits(80) if entropy is None else entropy
    number = (now_ms << 80) | chance
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


@dataclass(frozen=True)
class RunFolder:
    """`log.db`, `lock`, `sock`, `transcripts/`, `workspaces/`: everything that belongs to one run."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def home(self) -> Home:
        return Home(self.path.parents[1])

    @property
    def log(self) -> Path:
        return self.path / "log.db"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def socket(self) -> Path:
        return self.path / "sock"

    @property
    def transcripts(self) -> Path:
        return self.path / "transcripts"

    @property
    def ports(self) -> Path:
        """Which attempt has which ports: one file for all runs of the home."""
        return self.home.ports

    @property
    def workspaces(self) -> Path:
        return self.path / "workspaces"

    @property
    def trash(self) -> Path:
        """Files that git ignored, out of workspaces that have gone."""
        return self.path / "trash"


@dataclass(frozen=True)
class Home:
    """`path` is made with mode 0700 when the first run is."""

    path: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Home:
        """`BIGTASK_HOME`, else the user's data directory of this system."""
        given = environ.get("BIGTASK_HOME")
        if given:
            return cls(Path(given).absolute())
        import platformdirs

        return cls(platformdirs.user_data_path("bigtask"))

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def templates(self) -> Path:
        return self.path / "templates"

    @property
    def answers(self) -> Path:
        return self.path / "answers.json"

    @property
    def approvals(self) -> Path:
        return self.path / "approvals.json"

    @property
    def permissions(self) -> Path:
        """What was answered for whole repositories."""
        return self.path / "permissions.json"

    @property
    def ports(self) -> Path:
        return self.path / "ports.json"

    @property
    def slots(self) -> Path:
        """What all runs share of the machine and of accounts."""
        return self.path / "slots"

    @property
    def repositories(self) -> Path:
        return self.path / "repositories.json"

    def make_folder(self, run_id: str) -> RunFolder:
        """Raises InvalidInput where nothing can be written, or not safely."""
        require_local(self.path)
        folder = RunFolder(self.runs / run_id)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.runs.mkdir(mode=0o700, exist_ok=True)
            folder.path.mkdir(mode=0o700)
            folder.transcripts.mkdir(mode=0o700)
        except OSError as error:
            raise InvalidInput(
                f"can't keep runs in {self.path}: {error.strerror}. "
                "Set BIGTASK_HOME to a folder that you can write to"
            ) from None
        return folder

    def folders(self) -> Iterator[RunFolder]:
        """Of all runs, newest first. Raises InvalidInput where they can't be listed."""
        try:
            names = sorted(os.listdir(self.runs), reverse=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise InvalidInput(
                f"runs can't be read from {self.path}: {error.strerror}. "
                "Set BIGTASK_HOME to a folder that you can read and write"
            ) from None
        for name in names:
            folder = RunFolder(self.runs / name)
            if is_run_id(name) and _has_log(folder):
                yield folder

    def find(self, given: str) -> RunFolder:
        """By a whole id, a unique beginning or end of one, or `last`. Raises NotFound, or InvalidInput."""
        if given == "last":
            newest = next(self.folders(), None)
            if newest is None:
                raise NotFound("there is no run yet: start one with `bigtask run`")
            return newest
        wanted = given.lower()
        if not wanted or any(sign not in _CROCKFORD for sign in wanted):
            raise NotFound(f"{given!r} isn't the id of a run: `bigtask list` shows them")
        matches = [f for f in self.folders() if f.id.startswith(wanted) or f.id.endswith(wanted)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise NotFound(f"{given!r} fits {len(matches)} runs: give more of the id")
        raise NotFound(f"there is no run {given}: `bigtask list` shows them")


def _has_log(folder: RunFolder) -> bool:
    try:
        return folder.log.exists()
    except PermissionError:
        # A run that can't be looked at is there all the same: whoever reads it says why.
        return True


def is_run_id(name: str) -> bool:
    return len(name) == _ID_LENGTH and all(sign in _CROCKFORD for sign in name)
