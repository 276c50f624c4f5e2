"""What a template may be called. Every way in (commands, files, imports, the API) asks here."""

from __future__ import annotations

import json
import re
import unicodedata

from bigtask.errors import InvalidInput

ID_PATTERN = r"[a-z0-9_][a-z0-9_-]{0,63}"
ID_RULE = "1 to 64 of a-z, 0-9, - and _, not starting with -"
"""An id is part of a file's name and of addresses: nothing in it can lead anywhere else."""

_ID = re.compile(ID_PATTERN)


def is_id(given: object) -> bool:
    return isinstance(given, str) and _ID.fullmatch(given) is not None


def usable_id(given: object) -> str:
    """The same id. Raises InvalidInput for what can't be one, without looking at any file."""
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    shown = json.dumps(given if isinstance(given, str) else str(type(given).__name__))
    short = shown if len(shown) <= 80 else shown[:79] + "…"
    raise InvalidInput(f"{short} can't be the id of a template: an id is {ID_RULE}")


def id_from(name: str) -> str:
    """An id made of a name for people: `API migration` gives `api-migration`. Raises InvalidInput where
    nothing of the name is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9_]+", plain)
    if not words:
        raise InvalidInput(f"no id can be made of the name {json.dumps(name)[:80]}: give one, {ID_RULE}")
    return "-".join(words)[:64].rstrip("-")
