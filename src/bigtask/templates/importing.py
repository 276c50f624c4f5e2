"""Several templates saved at once, each on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bigtask.errors import Conflict, Forbidden, InvalidTemplate
from bigtask.templates.bundle import Member
from bigtask.templates.identity import is_id
from bigtask.templates.listed import Listed
from bigtask.templates.reading import Unreadable
from bigtask.templates.shape import Problem


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of one template of an import: `outcome` is `created`, `replaced` or `refused`, and `errors`
    say why it was refused. `label` says where in the file it stood; `id` is empty where it had none."""

    label: str
    id: str
    outcome: Literal["created", "replaced", "refused"]
    listed: Listed | None = None
    errors: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Importing:
    """`revision_of` gives the revision of what is to give way, None where nothing is in the way."""

    create: Callable[[bytes], Listed]
    update: Callable[[str, bytes, str], Listed]
    revision_of: Callable[[str], str | None]

    def each(self, found: Sequence[Member]) -> Iterator[Imported]:
        """Parents first: a child can't be saved before its parent."""
        for member in _parents_first(found):
            yield self._one(member)

    def _one(self, member: Member) -> Imported:
        said = member.content.get("id") if isinstance(member.content, Mapping) else None
        template_id = said if isinstance(said, str) else ""
        outcome: Literal["created", "replaced"] = "created"
        try:
            if isinstance(member.content, Unreadable):
                return _refused(member, "", ("", str(member.content)))
            revision = self.revision_of(template_id) if is_id(template_id) else None
            if revision is not None:
                outcome = "replaced"
                listed = self.update(template_id, member.data, revision)
            else:
                listed = self.create(member.data)
        except InvalidTemplate as error:
            return _refused(member, template_id, *error.problems)
        except (Conflict, Forbidden) as error:
            return _refused(member, template_id, ("/id", str(error)))
        return Imported(label=member.label, id=template_id, outcome=outcome, listed=listed)


def _refused(member: Member, template_id: str, *errors: Problem) -> Imported:
    return Imported(label=member.label, id=template_id, outcome="refused", errors=errors)


def _parents_first(found: Sequence[Member]) -> Iterator[Member]:
    """The members of a cycle come last, and are refused then."""
    left = list(found)
    while left:
        ids = {_said(member, "id") for member in left}
        now = [member for member in left if _said(member, "extends") not in ids - {_said(member, "id")}]
        yield from now or left
        left = [member for member in left if member not in now] if now else []


def _said(member: Member, key: str) -> str | None:
    said = member.content.get(key) if isinstance(member.content, Mapping) else None
    return said if isinstance(said, str) else None
