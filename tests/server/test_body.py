"""What a client sends of its body when it is refused: the answer reaches it all the same."""

from __future__ import annotations

import asyncio
import http.client

import pytest
from starlette.types import Message

from bigtask.server import body as bodies
from bigtask.server.body import BODY_LIMIT, Body

from .conftest import Workshop
from .served import PATIENCE_S

JSON = {"Content-Type": "application/json"}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("headers", "length", "status"),
    [({}, 2 * 1024 * 1024, 401), (JSON, BODY_LIMIT + 1, 400)],
    ids=["who", "long"],
)
def test_who_is_refused_before_the_body_was_read_hears_why_and_may_go_on(
    shop: Workshop, headers: dict[str, str], length: int, status: int
) -> None:
    known = {"Authorization": f"Bearer {shop.server.token}"}
    connection = http.client.HTTPConnection("127.0.0.1", shop.server.port, timeout=PATIENCE_S)
    try:
        sent = headers if status == 401 else {**headers, **known}
        connection.request("POST", "/api/orchestrator/create", body=b"x" * length, headers=sent)
        refused = connection.getresponse()
        assert refused.status == status, refused.read()
        assert refused.read().startswith(b'{"success":false')
        first = connection.sock
        connection.request("GET", "/api/health", headers=known)
        assert connection.getresponse().status == 200
        assert connection.sock is first is not None
    finally:
        connection.close()


@pytest.mark.integration
def test_who_waits_to_be_asked_for_the_body_is_not(shop: Workshop) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shop.server.port, timeout=PATIENCE_S)
    try:
        connection.putrequest("POST", "/api/orchestrator/create")
        for name, value in {**JSON, "Content-Length": "1000", "Expect": "100-continue"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        refused = connection.getresponse()
        assert (refused.status, refused.headers["connection"]) == (401, "close")
    finally:
        connection.close()


async def test_a_body_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_REST_S", 0.01)
    first = True

    async def receive() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": b"x", "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError

    assert not await Body(receive).discard()


async def test_a_client_that_is_gone_has_sent_all_it_will() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert await Body(receive).discard()
