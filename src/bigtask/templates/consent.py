"""What a person has to approve before a template is used.

A template of a repository says what agents are told and which programs run: all of it is approved, as it is
resolved, with the files of the project that its hooks name. Of a person's own template only the commands
are, as far as no shipped template has the same: an imported file may hold more than was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigtask.approvals import digest_of
from bigtask.errors import Forbidden
from bigtask.templates.commands import commands
from bigtask.templates.library import Library, shipped
from bigtask.templates.listed import Source
from bigtask.templates.programs import hook_files
from bigtask.templates.template import Command


@dataclass(frozen=True, kw_only=True)
class Consent:
    """`digest` stands for everything that is approved, `path` for whom: another template or repository needs
    its own. `whole` says that the prompts are part of it. `commands` come with their JSON pointers. `files`
    are the digests of the project's files that hooks name, where they are part of it."""

    template_id: str
    path: Path
    digest: str
    whole: bool
    chain: tuple[str, ...]
    commands: tuple[tuple[str, Command], ...]
    files: Mapping[str, str]


class TemplateNotApproved(Forbidden):
    """`consent` is what a person would have to approve."""

    def __init__(self, consent: Consent) -> None:
        whose = "comes from this repository" if consent.whole else "runs commands"
        super().__init__(
            f"the template {consent.template_id} {whose} and hasn't been approved as it is now: look at it "
            f"and allow it with `bigtask template approve {consent.template_id}`"
        )
        self.consent = consent


def consent_for(
    library: Library, template_id: str, *, user_dir: Path | None, project_dir: Path | None
) -> Consent | None:
    """None where nobody has to be asked. Raises what `Library.raw` raises."""
    chain = library.chain(template_id)
    sources = {library.source(id) for id in chain}
    template = library.resolved(template_id)
    # A person's own template that extends one of the repository is as little theirs as that one.
    if Source.PROJECT in sources and project_dir is not None:
        files = hook_files(template, project_dir.parent.parent)
        subject: dict[str, Any] = {"template": template.raw, "files": files}
        path, own = project_dir / f"{template_id}.json", tuple(commands(template))
    else:
        known = next((id for id in chain if id in shipped()), None)
        trusted = frozenset(commands(library.resolved(known))) if known is not None else frozenset()
        own = tuple(found for found in commands(template) if found not in trusted)
        if not own or user_dir is None:
            return None
        files, subject = {}, {"commands": own}
        path = user_dir / f"{template_id}.json"
    return Consent(
        template_id=template_id,
        path=path,
        digest=digest_of(subject),
        whole=Source.PROJECT in sources,
        chain=chain,
        commands=own,
        files=files,
    )
