"""Events as earlier versions stored them, made into those of today. A log keeps what was written in it for
ever: what changes is how it is read.

A schema grows by one when an event that is in logs is to look otherwise, or the file itself. Fields that are
added to an event with a default need no new schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]
"""Pure: from an event's stored object to the type and the object that the next schema has for it."""

UPCASTERS: Mapping[int, Mapping[str, Upcaster]] = {
    1: {},  # schema 2 brought tables beside the events
}
"""By the schema that an event was written in, then by its type there; what isn't named stays as it is."""


def upcast(
    schema: int,
    type_name: str,
    data: bytes,
    upcasters: Mapping[int, Mapping[str, Upcaster]] = UPCASTERS,
) -> tuple[str, bytes]:
    """An event's type and JSON as today's schema has them. Raises `msgspec.DecodeError` for what isn't an
    object, and what an upcaster raises for one that misses what its type always had."""
    for version in sorted(upcasters):
        upcaster = upcasters[version].get(type_name) if version >= schema else None
        if upcaster is not None:
            type_name, fields = upcaster(msgspec.json.decode(data, type=dict[str, Any]))
            data = msgspec.json.encode(fields)
    return type_name, data


def changed_since(schema: int, upcasters: Mapping[int, Mapping[str, Upcaster]] = UPCASTERS) -> bool:
    """Whether any event that was written in `schema` may look otherwise today."""
    return any(table for version, table in upcasters.items() if version >= schema)
