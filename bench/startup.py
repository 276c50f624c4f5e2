"""What starting costs: `import bigtask` over the bare interpreter, and `bigtask --help` whole.

Each is the median of --times starts, one of each after the other, in processes of their own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from kit.command import tell
from kit.recording import now

_BARE, _IMPORT, _HELP = "bare", "import", "help"


def commands() -> Mapping[str, Sequence[str]]:
    script = Path(sys.executable).with_name("bigtask")
    return {
        _BARE: [sys.executable, "-c", "pass"],
        _IMPORT: [sys.executable, "-c", "import bigtask"],
        _HELP: [str(script), "--help"],
    }


def took_ms(command: Sequence[str]) -> float:
    began = now()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
    return (now() - began) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    starts = commands()
    for command in starts.values():
        took_ms(command)  # the first start may have to compile
    taken: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(times):
        for name, command in starts.items():
            taken[name].append(took_ms(command))
    bare_ms = statistics.median(taken[_BARE])
    return tell(
        {
            "system": "bigtask",
            "variant": "whole",
            "version": version("bigtask"),
            "workload": "startup",
            "times": times,
            "bare_ms": round(bare_ms, 2),
            "import_ms": round(statistics.median(taken[_IMPORT]) - bare_ms, 2),
            "help_ms": round(statistics.median(taken[_HELP]), 2),
            "errors": [],
        }
    )


if __name__ == "__main__":
    sys.exit(main())
