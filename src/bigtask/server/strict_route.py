"""Routes whose bodies are read within bounds, and with nothing in them that JSON doesn't have."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bigtask.errors import BigtaskError
from bigtask.server.envelope import failure
from bigtask.server.refusal import Refusal, refusal_of
from bigtask.templates.reading import Unreadable, parse_any

_WORDS = (
    (
        'a template is one object in JSON: {"id": …, "name": …}',
        'a body is one object in JSON: {"name": value, …}',
    ),
    ("the file", "the body"),
    ("the template", "the JSON"),
)
"""What the reader of templates says, and what is said of a body instead."""


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Raises Refusal for what a lenient reader would bend or break on: a key that stands twice, NaN, half
        a character, a hundred thousand brackets."""
        try:
            return parse_any(await self.body())
        except Unreadable as unreadable:
            said = str(unreadable)
            for of_template, of_body in _WORDS:
                said = said.replace(of_template, of_body)
            raise Refusal(400, f"the body can't be used: {said}") from None


class StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            try:
                return await handle(_StrictRequest(request.scope, request.receive))
            except (BigtaskError, RequestValidationError, HTTPException) as error:
                # Here, so that it is so in whatever application the route is.
                return failure(refusal_of(error))

        return strictly
