"""Who runs this process: recorded with what is decided, where nobody else is named."""

from __future__ import annotations

import getpass


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "person"
