"""The files of the dashboard, each with its address and type. They hold nothing of any run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

_STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def _files() -> Iterator[tuple[str, Path]]:
    for file in sorted(_STATIC.rglob("*")):
        if file.suffix in _TYPES:
            yield f"/dashboard/{file.relative_to(_STATIC).as_posix()}", file


FILES: Mapping[str, Path] = {"/": _STATIC / "index.html", **dict(_files())}
"""By the path of their address."""

router = APIRouter()


async def page(request: Request) -> Response:
    file = FILES[request.scope["path"]]
    return FileResponse(file, media_type=_TYPES[file.suffix])


for _path in FILES:
    router.add_api_route(_path, page, methods=["GET"], include_in_schema=False)
