"""What a person has allowed on this machine: one content in one place, never a name alone.

A repository can bring templates, hooks, commands and configuration. None of that counts before a person has
seen and approved it, and an approval falls when a byte of what was approved changes. Approvals are kept in
the home of bigtask, where no repository can write.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from bigtask import durable_file
from bigtask.errors import InvalidInput

_CONTENTS = 16


class Kind(StrEnum):
    TEMPLATE = "template"
    """A template as it is resolved, with its hooks and commands."""
    CONFIG = "config"
    """A repository's `.bigtask/config.toml`."""
    GIT = "git"
    """What the git settings of a repository make git run, of its `.git/config`."""
    AGENT = "agent"
    """What a project brings for agents (instructions, hooks, tool servers), of its top folder."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`path` is the absolute path of the file; `approved_at` is in milliseconds since 1970. `files` are the
    digests of what was approved together, by path, and `agent` whose they are."""

    kind: Kind
    path: str
    digest: str
    approved_at: int
    files: Mapping[str, str] = {}
    agent: str = ""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    approved: tuple[Approval, ...] = ()


def digest_of(content: object) -> str:
    """SHA-256 of a JSON value. Two values that are equal have the same, however they were written."""
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


class Approvals:
    """Kept in `file`, which is made by the first approval. Safe with several processes.

    Every method raises InvalidInput where the file can't be read or written: what can't be read approves
    nothing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def holds(self, kind: Kind, path: Path, digest: str) -> bool:
        """Whether exactly this content was approved for exactly this file."""
        return any(
            kept.digest == digest and kept.path == _key(path) and kept.kind is kind for kept in self.listed()
        )

    def allow_git(self, path: Path, digest: str) -> bool:
        """Whether what that file makes git run was approved."""
        return self.holds(Kind.GIT, path, digest)

    def listed(self) -> tuple[Approval, ...]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Kept).approved
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError) as error:
            raise InvalidInput(
                f"the approvals in {self._file} can't be read ({error}): "
                "mend that file, or remove it and approve again what you use"
            ) from None

    def approve(self, kind: Kind, path: Path, digest: str) -> None:
        """Keeps a person's word for one content, in place of what was approved for this file before."""
        now = time.time_ns() // 1_000_000
        self._change(kind, path, Approval(kind=kind, path=_key(path), digest=digest, approved_at=now))

    def approve_rules(self, top: Path, agent: str, digest: str, files: Mapping[str, str]) -> None:
        """What a project brings for an agent. The last 16 contents of it stay approved, because branches
        differ in it."""
        now = time.time_ns() // 1_000_000
        approval = Approval(
            kind=Kind.AGENT, path=_key(top), digest=digest, approved_at=now, files=dict(files), agent=agent
        )
        self._change(Kind.AGENT, top, approval, beside=_CONTENTS - 1)

    def rules_approved(self, top: Path, agent: str) -> Mapping[str, str] | None:
        """The files of what was approved last, by path; None where nothing was."""
        of_agent = (a for a in reversed(self.listed()) if _is_of(a, Kind.AGENT, top) and a.agent == agent)
        return next((approval.files for approval in of_agent), None)

    def withdraw(self, kind: Kind, path: Path) -> None:
        self._change(kind, path, None)

    def _change(self, kind: Kind, path: Path, approval: Approval | None, *, beside: int = 0) -> None:
        """`beside`: how many earlier contents of the same stay approved."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with durable_file.alone(self._file.with_suffix(".lock")):
                listed = self.listed()
                same = [
                    kept
                    for kept in listed
                    if _is_of(kept, kind, path) and (approval is None or kept.agent == approval.agent)
                ]
                others = [kept for kept in listed if kept not in same]
                if approval is not None:
                    earlier = [kept for kept in same if kept.digest != approval.digest]
                    others += [*(earlier[-beside:] if beside else ()), approval]
                kept = _Kept(approved=tuple(others))
                durable_file.replace(
                    self._file, msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n"
                )
        except OSError as error:
            raise InvalidInput(
                f"the approvals in {self._file} can't be written: {error.strerror}. "
                "Set BIGTASK_HOME to a folder that you can write to"
            ) from None


def _is_of(approval: Approval, kind: Kind, path: Path) -> bool:
    return (approval.kind, approval.path) == (kind, _key(path))


def _key(path: Path) -> str:
    return str(path.absolute())
