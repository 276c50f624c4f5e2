"""What a caller is told when something isn't done: one table of errors, one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from bigtask.errors import (
    AgentUnavailable,
    BigtaskError,
    Conflict,
    Forbidden,
    GitError,
    HolderGone,
    InvalidAnswer,
    InvalidInput,
    InvalidPlan,
    InvalidTemplate,
    NotFound,
    RunBusy,
    StaleRevision,
)
from bigtask.server.wrong_input import sentence
from bigtask.sink import without_secrets

NAMES = {
    400: "ValidationError",
    401: "Unauthorized",
    403: "ForbiddenError",
    404: "NotFoundError",
    405: "MethodNotAllowed",
    409: "ConflictError",
    412: "PreconditionFailed",
    415: "UnsupportedMediaType",
    429: "RateLimited",
    500: "InternalError",
}
"""What `error` says, by status: there are no others."""

_STATUS: tuple[tuple[type[BigtaskError], int], ...] = (
    (StaleRevision, 412),
    (InvalidInput, 400),
    (NotFound, 404),
    (Forbidden, 403),
    (Conflict, 409),
    (AgentUnavailable, 409),
    (RunBusy, 409),
    (HolderGone, 409),
    (GitError, 409),
    (BigtaskError, 500),
)


class Refusal(HTTPException):
    """`details` are JSON values. An HTTPException, because the framework lets those through everywhere."""

    def __init__(
        self,
        status: int,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.message = message
        self.details = dict(details or {})

    @property
    def error(self) -> str:
        return NAMES[self.status_code]


def refusal_of(error: BigtaskError | RequestValidationError | HTTPException) -> Refusal:
    """Without secrets in its words."""
    match error:
        case Refusal():
            refusal = error
        case BigtaskError():
            refusal = _of_error(error)
        case RequestValidationError():
            refusal = _of_validation(error)
        case _:
            refusal = _of_http(error)
    refusal.message = without_secrets(refusal.message)
    return refusal


def _of_error(error: BigtaskError) -> Refusal:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return Refusal(status, str(error), _details(error))


def _details(error: BigtaskError) -> dict[str, Any]:
    match error:
        case StaleRevision(given=given, current=current):
            return {"given": given, "current": current}
        case Conflict(status=str(status)):
            return {"status": status}
        case InvalidTemplate(problems=problems):
            return {"errors": pointed(problems)}
        case InvalidPlan(problems=problems) | InvalidAnswer(problems=problems):
            return {"errors": [{"pointer": "", "message": problem} for problem in problems]}
        case _:
            return {}


def pointed(problems: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """`(JSON pointer, sentence)` pairs as the API shows them."""
    return [{"pointer": pointer, "message": sentence} for pointer, sentence in problems]


def _of_validation(error: RequestValidationError) -> Refusal:
    """All that is wrong with a request: of its body with JSON pointers, else with the parameter's name."""
    errors, sentences = [], []
    for found in error.errors():
        where, *path = found["loc"]
        said = sentence(found)
        if where == "body":
            pointer = "".join(f"/{_escaped(str(part))}" for part in path)
            errors.append({"pointer": pointer, "message": said})
            sentences.append(f"{pointer or 'the body'}: {said}")
        else:
            name = ".".join(map(str, path))
            errors.append({"parameter": name, "message": said})
            sentences.append(f"{where} parameter {name}: {said}")
    return Refusal(400, f"the request can't be used: {'; '.join(sentences)}", {"errors": errors})


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _of_http(error: HTTPException) -> Refusal:
    """What the framework itself refuses: no such route, or not with this method."""
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return Refusal(
            405, f"that can't be done here: use {allowed or 'another method'}", headers=error.headers
        )
    if error.status_code == 404:
        return Refusal(404, "there is nothing here: /api/openapi.json lists every address")
    status = error.status_code if error.status_code in NAMES else 400
    return Refusal(status, str(error.detail), headers=error.headers)
