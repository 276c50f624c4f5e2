"""Where configuration is kept, and what the files and the environment of this process say."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bigtask.approvals import Approvals, Kind, digest_of
from bigtask.configuration.layers import Layer, Rank, of_environment, of_file, require_fit
from bigtask.errors import Forbidden

VARIABLE = "BIGTASK_CONFIG"
REPOSITORY_FILE = ".bigtask/config.toml"
MAX_BYTES = 64 << 10


class ConfigurationNotApproved(Forbidden):
    """A repository's file that nobody has allowed as it is now. Whoever shows `layer` to a person may approve
    `digest` for `path`."""

    def __init__(self, path: Path, digest: str, layer: Layer) -> None:
        super().__init__(
            f"{path} sets {', '.join(layer.said)} for runs here and hasn't been approved as it is now: "
            "read it, then allow it with `bigtask approve`"
        )
        self.path = path
        self.digest = digest
        self.layer = layer


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """`repository_digest` is None where the repository's file says nothing and so needs no approval."""

    environment: Layer
    repository: Layer
    user: Layer
    repository_path: Path
    repository_digest: str | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.environment, self.repository, self.user

    def unapproved(self, approvals: Approvals) -> ConfigurationNotApproved | None:
        """Raises InvalidInput where the approvals can't be read."""
        digest = self.repository_digest
        if digest is None or approvals.holds(Kind.CONFIG, self.repository_path, digest):
            return None
        return ConfigurationNotApproved(self.repository_path, digest, self.repository)

    def require_usable(self, approvals: Approvals) -> None:
        """Raises InvalidInput with every problem, else ConfigurationNotApproved."""
        require_fit(self.layers)
        unapproved = self.unapproved(approvals)
        if unapproved is not None:
            raise unapproved


def read(root: Path, environ: Mapping[str, str] | None) -> Configuration:
    """`root` is the top of the repository, or the folder that a run works in. Without `environ` only the
    repository's file is read: neither variables nor a person's file count.

    Never raises for what stands in a file or variable.
    """
    path = root / REPOSITORY_FILE
    repository, text = _repository(path, root)
    return Configuration(
        environment=of_environment(environ or {}),
        repository=repository,
        user=Layer(rank=Rank.USER) if environ is None else user_layer(environ),
        repository_path=path,
        repository_digest=digest_of(text) if repository.said else None,
    )


def user_path(environ: Mapping[str, str]) -> Path:
    """`BIGTASK_CONFIG`, else `config.toml` in the person's configuration directory of this system."""
    given = environ.get(VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path("bigtask") / "config.toml"


def user_layer(environ: Mapping[str, str]) -> Layer:
    """What the person's own file says, problems included."""
    path = user_path(environ)
    try:
        return of_file(_text(path), rank=Rank.USER, name=str(path))
    except FileNotFoundError:
        if not environ.get(VARIABLE):
            return Layer(rank=Rank.USER)
        problem = f"{VARIABLE} names {path}, which doesn't exist: create it, or unset {VARIABLE}"
    except _Unreadable as unreadable:
        problem = str(unreadable)
    return Layer(rank=Rank.USER, problems=(problem,))


def _repository(path: Path, root: Path) -> tuple[Layer, str]:
    try:
        # A link could lead to a file of the person's that isn't the repository's to show or to rely on.
        if not path.resolve().is_relative_to(root.resolve()):
            raise _Unreadable(f"{path} leads out of the repository: put a file there instead of a link")
        text = _text(path)
    except (FileNotFoundError, NotADirectoryError):
        return Layer(rank=Rank.REPOSITORY), ""
    except (_Unreadable, RuntimeError) as error:  # a RuntimeError is a loop of links
        return Layer(rank=Rank.REPOSITORY, problems=(str(error),)), ""
    return of_file(text, rank=Rank.REPOSITORY, name=REPOSITORY_FILE), text


class _Unreadable(Exception):
    pass


def _text(path: Path) -> str:
    """Raises FileNotFoundError, NotADirectoryError or _Unreadable."""
    try:
        # A pipe that lies there under this name would make us wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) and str(path) != os.devnull:
                raise _Unreadable(f"{path} isn't a file: put one there, or remove it")
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise _Unreadable(f"{path} can't be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise _Unreadable(f"{path} is larger than {MAX_BYTES >> 10} KiB: this can't be a configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable(f"{path} isn't UTF-8 at byte {error.start}: save it as UTF-8") from None
