"""What the status of a program that is gone says."""

from __future__ import annotations

import signal


def how_it_ended(status: int) -> str:
    """The end of a sentence that begins with the program's name; `status` as `Finished` has it."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
