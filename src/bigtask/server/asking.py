"""Asking the server that leads a home, from another process of the same person.

Over TLS the server is known by the certificate that it wrote down in its own folder, which nobody else can
write to. Who has signed it, for which name and until when doesn't matter here: one that a person has made for
themselves is as good as any.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from bigtask.errors import Conflict, NotFound
from bigtask.host.home import Home
from bigtask.server.credentials import folder_of
from bigtask.server.leader import Leader, leader

_PATIENCE_S = 10.0


class _Impostor(OSError):
    """Somebody else answers where the server should."""


def ask_leader(home: Home, method: str, path: str) -> dict[str, Any]:
    """The JSON of its answer. Raises NotFound where no server runs, Conflict where it can't be asked."""
    folder = folder_of(home)
    found = leader(folder)
    if found is None or not found.url:
        raise NotFound("no server runs: start one with `bigtask serve`")
    connection = _connection(found)
    try:
        connection.connect()
        _require(found, connection)
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


def _connection(to: Leader) -> http.client.HTTPConnection:
    parts = urlsplit(to.local or to.url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
    context = ssl.create_default_context()
    # Looked at by `_require`, before anything is sent.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_S, context=context)


def _require(wanted: Leader, connection: http.client.HTTPConnection) -> None:
    """Raises _Impostor where another certificate is shown than the server has."""
    if not isinstance(connection.sock, ssl.SSLSocket):
        return
    shown = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest()
    if not hmac.compare_digest(shown, wanted.certificate):
        raise _Impostor("it shows another certificate than it began with; end it and start it again")
