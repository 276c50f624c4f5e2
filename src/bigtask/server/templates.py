"""The endpoints of templates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Header, Query
from fastapi import Body as InBody
from fastapi import Path as InPath
from starlette.responses import Response

from bigtask.errors import Conflict, InvalidInput
from bigtask.server.envelope import success
from bigtask.server.parts import TheParts
from bigtask.server.refusal import pointed
from bigtask.server.role import DELEGATE
from bigtask.server.schemas import BOOLEAN, OBJECT, OBJECTS, STRING, answers
from bigtask.server.strict_route import StrictRoute
from bigtask.server.template_requests import (
    ApproveTemplate,
    DuplicateTemplate,
    Id,
    ImportTemplates,
    PreviewTemplate,
)
from bigtask.templates.identity import id_from
from bigtask.templates.listed import Listed

BASE = "/api/orchestrator/templates"

T = TypeVar("T")

router = APIRouter(prefix=BASE, route_class=StrictRoute, tags=["templates"])

Cwd = Annotated[
    str | None,
    Query(max_length=4096, description="A folder whose repository's templates count as well."),
]
Template = Annotated[
    dict[str, Any],
    InBody(examples=[{"id": "mine", "name": "Mine", "extends": "_default"}], description="docs/templates.md"),
]
TemplateId = Annotated[str, InPath(json_schema_extra={"pattern": "^[a-z0-9_][a-z0-9_-]{0,63}$"})]
"""The pattern is for the document: what isn't an id is told in words."""
IfMatch = Annotated[str | None, Header(max_length=200, description="The ETag of what was read.")]
Revision = Annotated[str | None, Query(max_length=200, description="The same as If-Match.")]


@router.get("", openapi_extra=DELEGATE, responses=answers(templates=OBJECTS))
async def list_templates(parts: TheParts, cwd: Cwd = None) -> Response:
    """Every template, the broken ones with their errors."""
    return success(templates=[_entry(one) for one in parts.templates_of(cwd).load_all()])


@router.get("/export", openapi_extra=DELEGATE, responses=answers(404, templates=OBJECT))
async def export_templates(
    parts: TheParts,
    id: Annotated[
        list[Id] | None, Query(description="Several may be named; by default all custom ones.")
    ] = None,
    resolved: bool = False,
    cwd: Cwd = None,
) -> Response:
    """The JSON objects of templates by id, as `import` takes them."""
    manager = parts.templates_of(cwd)
    ids = id or [one.id for one in manager.list() if one.usable and one.path is not None]
    return success(templates=manager.export(ids, resolved=resolved))


@router.get(
    "/{template_id}", openapi_extra=DELEGATE, responses=answers(404, template=OBJECT, revision=STRING)
)
async def get_template(
    parts: TheParts, template_id: TemplateId, resolved: bool = True, cwd: Cwd = None
) -> Response:
    """One template with everything that it inherits, or as its own file has it. The revision stands in the
    ETag as well; shipped ones have none."""
    manager = parts.templates_of(cwd)
    listed = manager.find(template_id)
    content = dict(manager.get(template_id).raw) if resolved else manager.get(template_id, resolved=False)
    headers = {"ETag": f'"{listed.revision}"'} if listed.revision else None
    return success(headers=headers, template=content, revision=listed.revision, source=listed.source.value)


@router.get(
    "/{template_id}/text", openapi_extra=DELEGATE, responses=answers(404, text=STRING, revision=STRING)
)
async def get_template_text(parts: TheParts, template_id: TemplateId, cwd: Cwd = None) -> Response:
    """The text of a custom template's file, also of one that can't be used."""
    text, revision = parts.templates_of(cwd).text(template_id)
    return success(headers={"ETag": f'"{revision}"'}, text=text, revision=revision)


@router.post(
    "", status_code=201, responses=answers(409, code=201, said="Created.", template=OBJECT, revision=STRING)
)
async def create_template(parts: TheParts, template: Template) -> Response:
    """A custom template. All errors are told at once, with JSON pointers."""
    return _saved(await _waited(lambda: parts.module.templates.create(template)), 201)


@router.put("/{template_id}", responses=answers(404, 409, 412, template=OBJECT, revision=STRING))
async def update_template(
    parts: TheParts,
    template_id: TemplateId,
    template: Template,
    if_match: IfMatch = None,
    revision: Revision = None,
) -> Response:
    """Replaces a custom template, where it is still as it was read."""
    wanted = _revision(if_match, revision)
    if wanted is None:
        raise InvalidInput("say which revision you have read: send If-Match, or ?revision=")
    return _saved(
        await _waited(lambda: parts.module.templates.update(template_id, template, revision=wanted))
    )


@router.delete("/{template_id}", responses=answers(404, 409, 412, id=STRING))
async def delete_template(
    parts: TheParts, template_id: TemplateId, if_match: IfMatch = None, revision: Revision = None
) -> Response:
    """Deletes a custom template; with a revision, only where it is still that one."""
    wanted = _revision(if_match, revision)
    if wanted is None:
        wanted = parts.module.templates.find(template_id).revision
    await _waited(lambda: parts.module.templates.delete(template_id, revision=wanted))
    return success(id=template_id)


@router.post(
    "/{template_id}/duplicate",
    status_code=201,
    responses=answers(404, 409, code=201, said="Created.", template=OBJECT, revision=STRING),
)
async def duplicate_template(parts: TheParts, template_id: TemplateId, body: DuplicateTemplate) -> Response:
    """A copy among your own templates."""
    new_id = body.id or id_from(body.name)
    return _saved(
        await _waited(lambda: parts.module.templates.duplicate(template_id, new_id, name=body.name)), 201
    )


@router.get("/{template_id}/consent", responses=answers(404, consent=OBJECT))
async def template_consent(parts: TheParts, template_id: TemplateId, cwd: Cwd = None) -> Response:
    """What a person would approve: `null` where nothing has to be. Its digest is what `approve` wants."""
    manager = parts.templates_of(cwd)
    consent = manager.consent(template_id)
    if consent is None:
        return success(consent=None)
    return success(
        consent={
            "digest": consent.digest,
            "approved": bool(manager.find(template_id).approved),
            "path": str(consent.path),
            "whole": consent.whole,
            "chain": list(consent.chain),
            "permissionMode": manager.get(template_id).config.permission_mode,
            "commands": [
                {"pointer": pointer, "command": list(command)} for pointer, command in consent.commands
            ],
            "files": sorted(consent.files),
        }
    )


@router.post("/{template_id}/approve", responses=answers(404, 409, id=STRING))
async def approve_template(
    parts: TheParts, template_id: TemplateId, body: ApproveTemplate, cwd: Cwd = None
) -> Response:
    """Allows a template as it was shown, until a byte of it changes."""
    manager = parts.templates_of(cwd)

    def approve() -> None:
        consent = manager.consent(template_id)
        if consent is None:
            return
        if consent.digest != body.digest:
            raise Conflict(
                f"the template {template_id} isn't any more what was shown: look at it again, then approve it"
            )
        manager.approve(consent)

    await _waited(approve)
    return success(id=template_id)


@router.post("/import", responses=answers(imported=OBJECTS))
async def import_templates(parts: TheParts, body: ImportTemplates) -> Response:
    """Each is saved or refused on its own, parents first."""
    data = msgspec.json.encode(body.templates)
    found = await _waited(lambda: parts.module.templates.import_(data, replacing=body.replacing))
    return success(
        imported=[
            {"label": one.label, "id": one.id, "outcome": one.outcome, "errors": pointed(one.errors)}
            for one in found
        ]
    )


@router.post(
    "/validate", openapi_extra=DELEGATE, responses=answers(valid=BOOLEAN, errors=OBJECTS, warnings=OBJECTS)
)
async def validate_template(parts: TheParts, template: Template, cwd: Cwd = None) -> Response:
    """Everything that would be said against it, without saving it."""
    found = parts.templates_of(cwd).validate(template)
    return success(valid=not found.errors, errors=pointed(found.errors), warnings=pointed(found.warnings))


@router.post(
    "/{template_id}/preview",
    openapi_extra=DELEGATE,
    responses=answers(404, phase=STRING, system=STRING, user=STRING),
)
async def preview_template(
    parts: TheParts, template_id: TemplateId, body: PreviewTemplate | None = None, cwd: Cwd = None
) -> Response:
    """A prompt as an agent would get it, with sample values for what only a run knows."""
    wanted = body or PreviewTemplate()
    found = parts.templates_of(cwd).preview(
        template_id, wanted.phase, wanted.variables, unsaved=wanted.template
    )
    return success(
        phase=found.phase,
        system=found.prompt.system,
        user=found.prompt.user,
        unknown=list(found.prompt.unknown),
        warnings=list(found.warnings),
    )


async def _waited(work: Callable[[], T]) -> T:
    """Writers wait for each other, also for those of other processes: not in the event loop."""
    return await asyncio.to_thread(work)


def _saved(listed: Listed, status: int = 200) -> Response:
    return success(
        status, headers={"ETag": f'"{listed.revision}"'}, template=_entry(listed), revision=listed.revision
    )


def _revision(if_match: str | None, revision: str | None) -> str | None:
    if if_match is not None:
        return if_match.removeprefix("W/").strip('"')
    return revision


def _entry(one: Listed) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "icon": one.icon,
        "author": one.author,
        "version": one.version,
        "tags": list(one.tags),
        "extends": one.extends,
        "source": one.source.value,
        "revision": one.revision,
        "usable": one.usable,
        "approved": one.approved,
        "hiddenBy": one.hidden_by.value if one.hidden_by is not None else None,
        "errors": pointed(one.errors),
        "warnings": pointed(one.warnings),
    }
