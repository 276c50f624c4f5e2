"""A Python for each system that is compared with: named, the one in use, or an environment made for it.

No system is ever installed beside bigtask itself.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bigtask.benchmark.runners import Peer
from bigtask.errors import InvalidInput, NotFound
from bigtask.process import minimal_env, run

_INSTALL_TIMEOUT_S = 1_200.0


def environments() -> Path:
    """Where they are made: below the user's cache, each under its peer's name."""
    import platformdirs

    return Path(platformdirs.user_cache_path("bigtask")) / "bench"


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


async def prepare(
    peers: Mapping[str, Peer],
    named: Mapping[str, Path],
    *,
    install: bool,
    say: Callable[[str], None],
    place: Path | None = None,
) -> Mapping[str, Path]:
    """The Python for each of `peers`; `named` are those that the person named. Raises NotFound with the
    commands that would help, and InvalidInput when an installation failed."""
    found: dict[str, Path] = {}
    for name, peer in peers.items():
        environment = (place or environments()) / name
        if name in named:
            found[name] = named[name]
        elif python_of(environment).exists() and _wanted(peer) == _installed(environment):
            found[name] = python_of(environment)
        elif install:
            say(f"{peer.about} goes into {environment}: {' '.join(peer.requires)}")
            await _install(peer, environment)
            found[name] = python_of(environment)
        elif importlib.util.find_spec(peer.imports) is not None:
            found[name] = Path(sys.executable)
        else:
            raise NotFound(_not_there(name, peer))
    return found


def named_pythons(given: Sequence[str], peers: Mapping[str, Peer]) -> Mapping[str, Path]:
    """From `NAME=PATH`. Raises InvalidInput."""
    found: dict[str, Path] = {}
    for pair in given:
        name, equals, path = pair.partition("=")
        if not equals or name not in peers:
            raise InvalidInput(f"{pair!r} isn't PEER=PATH with a peer of {', '.join(peers)}")
        if not Path(path).is_file():
            raise InvalidInput(f"{path!r} isn't a Python: name the program, such as .venv/bin/python")
        # Not resolved: a link into an environment means that environment.
        found[name] = Path(path).absolute()
    return found


def _not_there(name: str, peer: Peer) -> str:
    return (
        f"{peer.about} isn't there. With --install it goes into an environment of its own; or make one, "
        f"`python -m venv DIR && DIR/bin/pip install {shlex.join(peer.requires)}`, "
        f"and name it with --peer-python {name}=DIR/bin/python"
    )


async def _install(peer: Peer, environment: Path) -> None:
    environment.parent.mkdir(parents=True, exist_ok=True)
    # Whoever asks for an installation means their own pip, with its index and certificates.
    env = minimal_env({key: value for key, value in os.environ.items() if key.startswith("PIP_")})
    for argv in (
        (sys.executable, "-m", "venv", "--clear", str(environment)),
        (str(python_of(environment)), "-m", "pip", "install", "--quiet", *peer.requires),
    ):
        done = await run(argv, cwd=environment.parent, env=env, timeout_s=_INSTALL_TIMEOUT_S)
        if done.status:
            why = done.stderr.decode(errors="replace").strip().splitlines()
            raise InvalidInput(f"{peer.about} can't be installed: {why[-1] if why else 'pip failed'}")
    _marker(environment).write_text(_wanted(peer))


def _marker(environment: Path) -> Path:
    """Written last, so that an installation which was cut off is made anew."""
    return environment / "bigtask-bench.txt"


def _wanted(peer: Peer) -> str:
    return "\n".join(peer.requires)


def _installed(environment: Path) -> str | None:
    marker = _marker(environment)
    return marker.read_text() if marker.exists() else None
