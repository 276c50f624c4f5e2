"""What became of the templates between two looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bigtask.templates.listed import Listed, Source

LOADED = "template:loaded"
CREATED = "template:created"
UPDATED = "template:updated"
DELETED = "template:deleted"
ERROR = "template:error"
EVENTS = (LOADED, CREATED, UPDATED, DELETED, ERROR)


def changes(before: Sequence[Listed] | None, now: Sequence[Listed]) -> Iterator[tuple[str, Listed]]:
    """The events, with the template that each is about; of a deleted one, as it was.

    Without `before`, each template was loaded. One that can't be used gives `template:error` instead of the
    event that it would have given, and so does one that another one's change has broken.
    """
    known = {(one.source, one.id): one for one in before or ()}
    for one in now:
        old = known.pop((one.source, one.id), None)
        if before is None:
            yield (ERROR if one.errors else LOADED), one
        elif old is None:
            yield (ERROR if one.errors else CREATED), one
        elif one.source is not Source.SHIPPED:
            changed = one.revision != old.revision
            if one.errors and (changed or one.errors != old.errors):
                yield ERROR, one
            elif changed or (old.errors and not one.errors):
                yield UPDATED, one
    for gone in known.values():
        yield DELETED, gone
