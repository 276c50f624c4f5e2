"""What `extends` means: a child is a JSON merge patch (RFC 7396) of its parent.

Objects merge deeply and the child wins; arrays and scalars are replaced; `null` removes what was inherited.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from bigtask.errors import InvalidTemplate, NotFound
from bigtask.templates.shape import suggestion

OWN = frozenset({"$schema", "extends"})
"""Keys that belong to the file that has them and aren't inherited."""


def merge(parent: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """The child applied to the parent. The result shares no object with either, but may share arrays."""
    merged: dict[str, Any] = {
        key: merge({}, value) if isinstance(value, Mapping) else value
        for key, value in parent.items()
        if key not in child
    }
    for key, value in child.items():
        if isinstance(value, Mapping):
            inherited = parent.get(key)
            merged[key] = merge(inherited if isinstance(inherited, Mapping) else {}, value)
        elif value is not None:
            merged[key] = value
    return merged


def lineage(
    template_id: str, raw_by_id: Mapping[str, Mapping[str, Any]], broken: Container[str] = ()
) -> tuple[str, ...]:
    """The ids from the template up to its root, itself first. `broken` are ids that exist and can't be used.

    Raises `NotFound` when the template itself is missing, and `InvalidTemplate` at `/extends` when an
    ancestor is missing or broken, or the chain comes back to itself; both name the chain.
    """
    if template_id not in raw_by_id:
        raise NotFound(unknown(template_id, raw_by_id))
    chain = [template_id]
    while (parent := raw_by_id[chain[-1]].get("extends")) is not None:
        way = " -> ".join([*chain, parent])
        if parent in chain:
            raise InvalidTemplate(template_id, [("/extends", f"a template can't extend itself: {way}")])
        if parent in broken:
            sentence = f"the template {parent} is broken, correct it first: {way}"
            raise InvalidTemplate(template_id, [("/extends", sentence)])
        if parent not in raw_by_id:
            sentence = unknown(parent, (id for id in raw_by_id if id not in chain))
            raise InvalidTemplate(template_id, [("/extends", f"{sentence} ({way})")])
        chain.append(parent)
    return tuple(chain)


def unknown(template_id: str, known: Iterable[str]) -> str:
    """The sentence about an id that no template has."""
    ids = sorted(known)
    near = suggestion(template_id, ids)
    return f"no template is called {template_id}{near or ': choose one of ' + ', '.join(ids)}"


def resolve(
    template_id: str, raw_by_id: Mapping[str, Mapping[str, Any]], broken: Container[str] = ()
) -> dict[str, Any]:
    """The template with everything that it inherits, standing alone: no `extends`, no `null`.

    Raises what `lineage` raises. The result isn't checked.
    """
    resolved: dict[str, Any] = {}
    for ancestor in reversed(lineage(template_id, raw_by_id, broken)):
        own = {key: value for key, value in raw_by_id[ancestor].items() if key not in OWN}
        resolved = merge(resolved, own)
    return resolved
