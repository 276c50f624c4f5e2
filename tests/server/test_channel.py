"""Events over WebSocket and event stream: in order, without gap or repeat, whatever is cut or killed."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import signal
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection as Talk
from websockets.sync.client import connect as talk

from bigtask.core.events import Event, Progress
from bigtask.host.home import RunFolder
from bigtask.host.log import SqliteLog, read_closed
from bigtask.server import channel
from projects import Desk, Project
from promises.scale import SEED, share

from .conftest import BASE, Workshop, furnish
from .here import here
from .served import PATIENCE_S, Served, end, served

pytestmark = pytest.mark.integration


def socket(server: Served, **options: Any) -> Talk:
    headers = {"Authorization": f"Bearer {server.token}"}
    # A full queue would keep the client from seeing that it was cut.
    options = {"open_timeout": PATIENCE_S, "max_queue": None, **options}
    return talk(f"ws://127.0.0.1:{server.port}/api/ws", additional_headers=headers, **options)


def subscribe(of: Talk, run_id: str, after: object = 0) -> dict[str, Any]:
    wish = {"type": "subscribe", "channel": "orchestrator", "orchestratorId": run_id, "after": after}
    of.send(json.dumps(wish))
    return heard(of)


def heard(of: Talk) -> dict[str, Any]:
    found = json.loads(of.recv(timeout=PATIENCE_S))
    assert isinstance(found, dict)
    return found


async def lengthen(folder: RunFolder, events: int, *, room: int = 0) -> None:
    """As many events more, which nobody holds any more when they are there."""
    last = read_closed(folder.log)[-1].seq
    log = SqliteLog(folder.log)
    try:
        said = Progress(counts={"x" * room: 1} if room else {}, percent=1.0)
        await log.append(last, [Event(seq, 1, said) for seq in range(last + 1, last + events + 1)])
    finally:
        await log.close()


async def long_run(desk: Desk, project: Project, events: int, *, room: int = 0) -> RunFolder:
    folder = await desk.create(project, agent=desk.script({"tasks": [{"id": "one"}]}))
    await lengthen(folder, events, room=room)
    return folder


def test_a_client_that_is_cut_again_and_again_has_the_log_of_the_server(shop: Workshop) -> None:
    cuts, events = share(200), share(10_000)
    folder = asyncio.run(long_run(shop.desk, shop.project, events))
    chance, seen = random.Random(SEED), list[dict[str, Any]]()
    for cut in range(cuts):
        with socket(shop.server) as way:
            subscribe(way, folder.id, len(seen))
            left = events + 1 - len(seen)
            for _ in range(left if cut == cuts - 1 else chance.randrange(1, 2 * left // (cuts - cut) + 2)):
                seen.append(heard(way))
            way.socket.shutdown(SHUT_RDWR)  # without a word
    assert [event["seq"] for event in seen] == list(range(1, events + 2))
    assert seen == shop.server.events(folder.id)


def test_a_client_hears_all_of_a_run_that_goes_on_through_cuts_and_kills_of_the_server(
    tmp_path: Path,
) -> None:
    desk, project = furnish(tmp_path)
    tasks = [{"id": f"t{number}"} for number in range(12)]
    agent = desk.script({"tasks": tasks})
    body = {
        "templateId": "tested",
        "cwd": str(project.root),
        "message": "Do it",
        "options": {"agent": agent, "maxWorkers": 2},
    }
    chance, seen, id = random.Random(3), list[dict[str, Any]](), ""
    ended = False
    while not ended:
        with served(desk.home.path) as server:
            if not id:
                id = server.post(f"{BASE}/create", body)["orchestratorId"]
            server.post(f"{BASE}/{id}/start")
            if server.get(f"{BASE}/{id}/status")["orchestrator"]["status"] == "confirming":
                server.post(f"{BASE}/{id}/confirm")
            kill_at = len(seen) + chance.randrange(25, 60)
            while not ended and len(seen) < kill_at:
                with socket(server) as way:
                    subscribe(way, id, len(seen))
                    for _ in range(chance.randrange(1, 12)):
                        seen.append(heard(way))
                        if seen[-1]["type"] == "orchestrator:waiting":
                            server.ask("POST", f"{BASE}/{id}/confirm")
                        ended = seen[-1]["type"] == "orchestrator:completed"
                        if ended:
                            break
                    way.socket.shutdown(SHUT_RDWR)
            if not ended:
                end(server.process, signal.SIGKILL)
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    with served(desk.home.path) as server:
        assert server.events(id)[: len(seen)] == seen
        assert server.get(f"{BASE}/{id}")["orchestrator"]["tasks"]["completed"] == 12


def test_all_runs_are_heard_over_one_subscription_also_those_that_are_made_later(shop: Workshop) -> None:
    with socket(shop.server) as way:
        told = subscribe(way, "*", None)
        assert told["type"] == "subscribed"
        first, second = shop.create(), shop.create()
        got = [heard(way), heard(way)]
        assert {event["orchestratorId"] for event in got} == {first, second}
        assert [event["seq"] for event in got] == [1, 1]
        shop.server.post(f"{BASE}/{first}/cancel")
        ended = [heard(way), heard(way)]
        assert [event["seq"] for event in ended] == [2, 3]
        assert {event["orchestratorId"] for event in ended} == {first}
        assert ended[-1]["type"] == "orchestrator:cancelled"
    with socket(shop.server) as way:
        # It comes again and says what it has seen of each run.
        places = {**told["after"], first: 1, second: 1}
        subscribe(way, "*", places)
        assert [heard(way), heard(way)] == ended


def test_what_isnt_understood_is_said_and_the_talk_goes_on(shop: Workshop) -> None:
    with socket(shop.server) as way:
        for wrong in ("", "x", "[]", "{}", '{"type": "merge"}', '{"type": "ping", "more": 1}', "[" * 10_000):
            way.send(wrong)
            assert heard(way)["type"] == "error"
        assert "there is no run" in subscribe(way, "0" * 26)["message"]
        assert "numbers count within one run" in subscribe(way, "*", 7)["message"]
        way.send('{"type": "ping"}')
        assert heard(way) == {"type": "pong"}


def test_who_unsubscribes_hears_nothing_more(shop: Workshop) -> None:
    id = shop.create()
    with socket(shop.server) as way:
        subscribe(way, id)
        assert heard(way)["type"] == "orchestrator:created"
        way.send(json.dumps({"type": "unsubscribe", "channel": "orchestrator", "orchestratorId": id}))
        assert heard(way)["type"] == "unsubscribed"
        shop.server.post(f"{BASE}/{id}/cancel")
        way.send('{"type": "ping"}')
        assert heard(way) == {"type": "pong"}


def test_the_system_channel_tells_of_templates(shop: Workshop) -> None:
    with socket(shop.server) as way:
        way.send('{"type": "subscribe", "channel": "system"}')
        place = heard(way)["after"]
        made = {"id": "heard", "name": "Heard", "extends": "_default"}
        shop.server.post(f"{BASE}/templates", made)
        told = heard(way)
        assert (told["type"], told["data"]["id"]) == ("template:created", "heard")
        shop.server.ask("DELETE", f"{BASE}/templates/heard")
        assert heard(way)["type"] == "template:deleted"
    with socket(shop.server) as way:
        way.send(json.dumps({"type": "subscribe", "channel": "system", "after": place}))
        heard(way)
        assert [heard(way)["type"], heard(way)["type"]] == ["template:created", "template:deleted"]


def test_nobody_talks_without_a_credential_and_a_browser_needs_cookie_and_key(shop: Workshop) -> None:
    address = f"ws://127.0.0.1:{shop.server.port}/api/ws"
    for headers in ({}, {"Authorization": "Bearer x"}, {"Origin": "https://evil.example"}):
        with pytest.raises(InvalidStatus) as refused, talk(address, additional_headers=headers):
            pass
        assert refused.value.response.status_code in (401, 403)
    code = shop.server.post("/api/sign-in-links")["link"].partition("#")[2]
    signed_in = shop.server.ask("POST", "/api/sign-in", {"code": code}, token=None)
    cookie = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    spoken = ["bigtask", f"key.{signed_in.said['key']}"]
    with talk(address, additional_headers=cookie, origin=shop.server.url, subprotocols=spoken) as way:
        assert way.subprotocol == "bigtask"
        way.send('{"type": "ping"}')
        assert heard(way) == {"type": "pong"}


def streamed(server: Served, id: str, after: int | None, most: int) -> list[dict[str, Any]]:
    """Events of one stream, which is cut when there are so many."""
    headers = {"Authorization": f"Bearer {server.token}", "Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    found: list[dict[str, Any]] = []
    try:
        connection.request("GET", f"{BASE}/{id}/events", headers=headers)
        response = connection.getresponse()
        assert response.headers["content-type"].startswith("text/event-stream")
        with response:
            while len(found) < most:
                name, _, value = response.readline().partition(b": ")
                if name == b"id":
                    number = int(value)
                if name == b"data":
                    found.append(json.loads(value))
                    assert found[-1]["seq"] == number
    finally:
        connection.close()
    return found


def test_an_event_stream_is_taken_up_where_it_was_cut(shop: Workshop) -> None:
    folder = asyncio.run(long_run(shop.desk, shop.project, 600))
    seen: list[dict[str, Any]] = []
    while len(seen) < 601:
        last = seen[-1]["seq"] if seen else None
        seen += streamed(shop.server, folder.id, last, min(97, 601 - len(seen)))
    assert seen == shop.server.events(folder.id)


async def test_a_client_that_doesnt_read_is_dropped_with_a_code_and_costs_less_than_a_megabyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_PATIENCE_S", 0.5)
    desk, project = furnish(tmp_path)
    folder = await long_run(desk, project, 6_000, room=8_000)  # 48 MB
    async with here(desk.home.path, monkeypatch) as server, asyncio.timeout(PATIENCE_S):
        async with server.socket(max_queue=1, ping_interval=None) as lazy:
            await ask(lazy, folder.id)
            async with server.socket() as quick:
                # Others are served meanwhile.
                await ask(quick, folder.id, after=5_900)
                told = [json.loads(await quick.recv()) for _ in range(102)]
                assert [event["seq"] for event in told[1:]] == list(range(5_901, 6_002))
            most = 0
            while not server.parts.traffic.dropped:
                most = max(most, server.buffered())
                await asyncio.sleep(0.01)
            with suppress(ConnectionClosed):
                async for _ in lazy:
                    pass  # what was on its way
            assert lazy.close_code == channel.TOO_SLOW
        assert 0 < most < 1_000_000


async def ask(way: ClientConnection, run_id: str, after: int = 0) -> None:
    wish = {"type": "subscribe", "channel": "orchestrator", "orchestratorId": run_id, "after": after}
    await way.send(json.dumps(wish))
