"""Whether fields may have slid into the wrong object where a closing bracket was missing or too many.

A bracket that is added at one place might have been meant at another, and then the fields between the two
belong elsewhere. That can't be seen in the text, but where each field has one place it can be ruled out.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from bigtask.protocol.shapes import Listing, OneField, Record, Shape


def misplaced(value: Any, shape: Shape | None, around: Set[str]) -> str | None:
    """A key that may belong to another object, or None: one that its object doesn't know, or, in an
    object without known fields, one that an object around it knows. `around` has the keys of those."""
    if isinstance(value, list):
        inner = shape.of if isinstance(shape, Listing) else None
        children: list[tuple[Any, Shape | None]] = [(item, inner) for item in value]
    elif isinstance(value, dict):
        known = _known(shape)
        strange = value.keys() & around if known is None else value.keys() - known.keys()
        if strange:
            return str(min(strange))
        children = [(item, (known or {}).get(key)) for key, item in value.items()]
        around = around | (known or {}).keys()
    else:
        return None
    found = (misplaced(item, of, around) for item, of in children)
    return next((key for key in found if key is not None), None)


def _known(shape: Shape | None) -> Mapping[str, Shape] | None:
    if isinstance(shape, Record):
        return {name: known.shape for name, known in shape.fields.items()}
    return shape.fields if isinstance(shape, OneField) else None
