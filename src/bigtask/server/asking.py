"""Asking the server that leads a home, from another process of the same person."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from bigtask.errors import Conflict, NotFound
from bigtask.host.home import Home
from bigtask.server.credentials import folder_of
from bigtask.server.leader import leader

_PATIENCE_S = 10.0


def ask_leader(home: Home, method: str, path: str) -> dict[str, Any]:
    """The JSON of its answer. Raises NotFound where no server runs, Conflict where it can't be asked."""
    folder = folder_of(home)
    found = leader(folder)
    if found is None or not found.url:
        raise NotFound("no server runs: start one with `bigtask serve`")
    parts = urlsplit(found.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
    try:
        token = (folder / "token").read_text().strip()
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Conflict(f"the server at {found.url} can't be asked: {error}") from None
    finally:
        connection.close()
    if not answer.get("success"):
        raise Conflict(f"the server at {found.url} refuses: {answer.get('message')}")
    return dict(answer)
