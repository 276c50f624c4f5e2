"""Where the runners are, and which of them are measured on which workload."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bigtask.errors import InvalidInput, NotFound

STARTUP, RECOVERY, PARSER, WORKTREES = "startup", "recovery", "parser", "worktrees"
IDLE, FAN = "idle", "fan"
"""What is measured beside the workloads."""

PLACES = (Path(__file__).parent / "programs", Path(__file__).parents[3] / "bench")
"""In an installed package, and in a checkout."""


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A command line that prints one JSON object, as the last line of its standard output."""

    system: str
    variant: str
    argv: Sequence[str]
    ours: bool
    """Whether a run of it that isn't right is our own fault."""

    @property
    def name(self) -> str:
        return f"{self.system} {self.variant}"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Another system, as `peers.json` names it. `imports` is the module that tells whether it is there."""

    about: str
    runner: str
    imports: str
    requires: tuple[str, ...]
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Runners:
    """`folder` holds the runners, `workloads/` and `peers.json`."""

    folder: Path

    @classmethod
    def find(cls, places: Sequence[Path] = PLACES) -> Runners:
        """The first of `places` that holds them. Raises NotFound."""
        for folder in places:
            if (folder / "product.py").is_file():
                return cls(folder)
        looked = " nor in ".join(str(folder) for folder in places)
        raise NotFound(
            f"the benchmark's programs are neither in {looked}: "
            "install bigtask from a wheel, or run it from a whole checkout"
        )

    def peers(self) -> Mapping[str, Peer]:
        return msgspec.json.decode((self.folder / "peers.json").read_bytes(), type=dict[str, Peer])

    def workloads(self) -> Mapping[str, Path]:
        """The files of the workloads by their names, in the order in which they are measured."""
        files = (self.folder / "workloads").glob("*.json")
        return {file.stem: file for file in sorted(files, key=lambda file: (len(file.stem), file.stem))}

    def subjects(self, given: Sequence[str]) -> Mapping[str, Path | None]:
        """What is to be measured, by name, each with its workload's file or None where it needs none. An
        empty `given` stands for everything. Raises NotFound."""
        alone = (STARTUP, RECOVERY, PARSER, WORKTREES, IDLE, FAN)
        named: dict[str, Path | None] = {**self.workloads(), **dict.fromkeys(alone)}
        if not given:
            return named
        found: dict[str, Path | None] = {}
        for name in given:
            if name in named:
                found[name] = named[name]
            elif (file := Path(name)).is_file():
                found[file.stem] = file.absolute()
            else:
                raise NotFound(f"there is no workload {name!r}: name a file, or one of {', '.join(named)}")
        return found

    def of(self, subject: str, file: Path | None, pythons: Mapping[str, Path]) -> Sequence[Runner]:
        """In the order of a round; `pythons` are the peers to compare with and the Python that has each."""
        if subject == STARTUP:
            return (self._ours("bigtask", "whole", "startup.py"),)
        if subject == PARSER:
            return (self._ours("bigtask", "whole", "parser.py"),)
        if subject == IDLE:
            return (self._ours("bigtask", "whole", "idle_server.py"),)
        if subject == FAN:
            return (
                self._ours("bigtask", "whole", "fan_out.py", "--server", "bigtask"),
                self._ours("starlette", "plain", "fan_out.py", "--server", "starlette"),
            )
        if subject == WORKTREES:
            return (self._ours("bigtask", "whole", "worktrees.py"),)
        if subject == RECOVERY:
            largest = str(self.folder / "workloads" / "W4.json")
            return tuple(
                self._ours(
                    "bigtask",
                    f"{ended}/{snapshot}",
                    "recovery.py",
                    largest,
                    "--ended",
                    ended,
                    "--snapshot",
                    snapshot,
                )
                for ended, snapshot in (("killed", "kept"), ("closed", "kept"), ("closed", "dropped"))
            )
        assert file is not None
        peers = self.peers()
        return (
            self._ours("asyncio", "cp/none", "floor.py", str(file), "--order", "cp", "--store", "none"),
            self._ours("asyncio", "cp/group", "floor.py", str(file), "--order", "cp", "--store", "group"),
            self._ours("bigtask", "whole", "product.py", str(file)),
            *(
                Runner(
                    system=name,
                    variant=variant,
                    argv=(
                        str(python),
                        str(self.folder / peers[name].runner),
                        str(file),
                        "--variant",
                        variant,
                    ),
                    ours=False,
                )
                for name, python in pythons.items()
                for variant in peers[name].variants
            ),
        )

    def _ours(self, system: str, variant: str, script: str, *arguments: str) -> Runner:
        argv = (sys.executable, str(self.folder / script), *arguments)
        return Runner(system=system, variant=variant, argv=argv, ours=True)


def require_peers(names: Sequence[str], peers: Mapping[str, Peer]) -> None:
    """Raises InvalidInput for a name that isn't among `peers`."""
    for name in names:
        if name not in peers:
            raise InvalidInput(f"there is no peer {name!r}: choose of {', '.join(peers)}")
