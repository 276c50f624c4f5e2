"""The command line that all runners have: `python RUNNER WORKLOAD.json [--option value …]`, one JSON line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit.workload import InvalidWorkload, Workload, load


def given(
    about: str | None, options: Mapping[str, Sequence[str]], argv: Sequence[str] | None = None
) -> tuple[Workload, argparse.Namespace]:
    """The workload, and the value of every option; the first of an option's values is its default. Exits
    with 2 and a sentence when something can't be used."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", type=Path, help="a workload file")
    for name, values in options.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    found = parser.parse_args(argv)
    try:
        return load(found.workload), found
    except (InvalidWorkload, OSError) as error:
        parser.error(str(error))


def tell(figures: Mapping[str, Any]) -> int:
    """Prints the line; the exit status is 1 when the run wasn't right."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    return 1 if figures["errors"] else 0
