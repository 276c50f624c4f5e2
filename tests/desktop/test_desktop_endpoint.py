"""What is found where the application should listen, and what a person is told of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bigtask.agents.desktop.agent import DesktopAgent
from bigtask.agents.desktop.endpoint import DEFAULT, Endpoint, endpoint_of, targets
from bigtask.agents.desktop.surface import require, seen
from bigtask.errors import AgentUnavailable, InvalidInput


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (DEFAULT, Endpoint(host="127.0.0.1", port=9222)),
        ("http://localhost:1/", Endpoint(host="localhost", port=1)),
        ("http://127.3.2.1:9222", Endpoint(host="127.3.2.1", port=9222)),
        ("http://[::1]:9222", Endpoint(host="::1", port=9222)),
    ],
)
def test_an_endpoint_is_an_address_on_this_machine(text: str, found: Endpoint) -> None:
    assert endpoint_of(text) == found
    assert endpoint_of(found.url) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "9222", "127.0.0.1:9222", "https://127.0.0.1:9222", "ws://127.0.0.1:9222", "http://127.0.0.1"),
        *("http://127.0.0.1:0", "http://127.0.0.1:99999", "http://:9222", "http://127.0.0.1:9222/json"),
        *("http://me:secret@127.0.0.1:9222", "http://127.0.0.1:9222?x", "http://[::1:9222"),
    ],
)
def test_what_is_no_endpoint_is_told_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"must be http://HOST:PORT, like http://127\.0\.0\.1:9222"):
        endpoint_of(text)


@pytest.mark.parametrize("host", ["10.0.0.1", "desk.example", "127.0.0.1.example", "[2001:db8::1]"])
def test_another_machine_has_to_be_meant(host: str) -> None:
    with pytest.raises(InvalidInput, match=r"isn't on this machine.*desktopElsewhere = true"):
        endpoint_of(f"http://{host}:9222")
    assert endpoint_of(f"http://{host}:9222", elsewhere=True).port == 9222


def test_a_wrong_endpoint_makes_the_agent_unusable() -> None:
    assert "isn't on this machine" in DesktopAgent("http://desk.example:9222").availability().detail


def test_a_closed_port_names_other_ways() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    available = DesktopAgent(f"http://127.0.0.1:{port}").availability()
    assert not available.usable
    assert f"nothing answers at http://127.0.0.1:{port}: open Claude Desktop" in available.detail
    assert "refuse the flag on purpose: then use the agent claude or claude-acp instead" in available.detail


def page(url: str, id: str = "A1", **fields: str) -> dict[str, str]:
    return {"type": "page", "id": id, "url": url, **fields}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "[]", "no page of claude.ai is open"),
        (
            200,
            json.dumps([page("https://claude.ai.example/"), {"type": "browser_ui"}, 3]),
            "no page of claude.ai",
        ),
        (200, json.dumps([page("https://claude.ai/", id="../../evil")]), "no page of claude.ai"),
        (200, json.dumps([page("https://[claude.ai/")]), "no page of claude.ai"),
        (
            200,
            json.dumps([{"type": "node", "id": "x", "url": "file:///main.js"}]),
            "the debugger of a Node program",
        ),
        (200, "<html>", "isn't the debugging port of Claude Desktop"),
        (200, "{}", "isn't the debugging port of Claude Desktop"),
        (200, "[" * 100_000, "isn't the debugging port of Claude Desktop"),
        (404, "[]", "isn't the debugging port of Claude Desktop"),
    ],
)
def test_what_else_answers_is_told(status: int, body: str, said: str) -> None:
    with listing(status, body) as endpoint, pytest.raises(AgentUnavailable, match=said):
        targets(endpoint)


def test_a_page_is_reached_at_the_endpoint_and_nowhere_else() -> None:
    listed = [page("https://claude.ai/new", webSocketDebuggerUrl="ws://evil.example:80/devtools/page/A1")]
    with listing(200, json.dumps([*listed, page("http://app.claude.ai/")])) as endpoint:
        found = [target.socket for target in targets(endpoint)]
        assert found == [f"ws://127.0.0.1:{endpoint.port}/devtools/page/A1"] * 2


def test_a_port_that_never_answers_is_given_up() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(AgentUnavailable, match="takes connections and doesn't answer within 2 s"):
            targets(Endpoint(host="127.0.0.1", port=mute.getsockname()[1]))


@pytest.mark.parametrize(
    "told", [{}, {"sessionId": 1}, [], "x", {"sessionId": "a", "rows": {}, "pending": []}]
)
def test_a_session_that_cannot_be_read_is_an_interface_that_has_changed(told: object) -> None:
    with pytest.raises(AgentUnavailable, match="has changed"):
        seen(told)


def test_what_isnt_known_of_a_session_is_passed_over() -> None:
    pending = [3, {"requestId": "r"}, {"requestId": "r", "toolName": "Bash", "input": None}]
    found = seen({"sessionId": "a", "rows": [1, {"type": "x"}], "pending": pending, "running": True})
    assert found is not None
    assert (found.rows, found.running, found.more) == (({"type": "x"},), True, False)
    assert [one.request_id for one in found.pending] == ["r"]
    assert seen(None) is None


def test_a_page_without_sessions_names_other_ways() -> None:
    with pytest.raises(
        AgentUnavailable, match=r"offers no LocalSessions.*use the agent claude or claude-acp instead"
    ):
        require({"out": False, "api": False})


@contextmanager
def listing(status: int, body: str) -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Endpoint(host="127.0.0.1", port=server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
