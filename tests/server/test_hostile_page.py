"""A hostile page in a real browser, whose person is signed in: it reads nothing and does nothing."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from promises.totals import record

from .browser import browser
from .conftest import Workshop, furnish
from .served import served
from .test_guard import ROLES, address

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PAGE = """<!doctype html><title>free kittens</title><iframe name="hidden"></iframe><script>
const [target, naive, routes] = %s;
const told = {read: [], opened: [], sent: 0};
async function attempt(url, options) {
  told.sent += 1;
  try {
    const answer = await fetch(url, {credentials: "include", ...options});
    if (answer.type !== "opaque" && answer.ok) told.read.push([options.method, url, options.mode]);
  } catch (error) { /* kept from us, as it should be */ }
}
function socket(url, protocols) {
  told.sent += 1;
  return new Promise((resolve) => {
    const way = new WebSocket(url, protocols);
    way.onopen = () => { told.opened.push(url); way.close(); resolve(); };
    way.onerror = () => resolve();
  });
}
async function attack(base) {
  for (const [method, path] of routes) {
    const url = base + path;
    if (method === "WEBSOCKET") {
      await socket(url.replace(/^http/, "ws"), ["bigtask"]);
      await socket(url.replace(/^http/, "ws"), ["bigtask", "key.guess"]);
      continue;
    }
    const body = method === "GET" ? undefined : "{}";
    for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]) {
      await attempt(url, {method, body, mode: "cors", headers: {"Content-Type": type}});
    }
    for (const simple of ["GET", "POST", "HEAD"]) {
      const sent = simple === "POST" ? "{}" : undefined;
      await attempt(url, {method: simple, mode: "no-cors", body: sent});
    }
    navigator.sendBeacon(url, "{}");
    const form = document.createElement("form");
    Object.assign(form, {action: url, method: "post", target: "hidden", enctype: "text/plain"});
    document.body.append(form);
    form.submit();
    for (const tag of ["img", "script"]) {
      const element = document.createElement(tag);
      element.src = url;
      document.body.append(element);
    }
    told.sent += 4;
  }
}
window.done = (async () => {
  await attack(naive);
  told.naive = {read: told.read.length, opened: told.opened.length};
  told.read = []; told.opened = [];
  await attack(target);
  await attack("");
  return JSON.stringify(told);
})();
</script>"""
"""`naive` is a server that lets everybody in: there the page has to succeed, or it proves nothing. The last
round goes to the page's own origin, whose name by then leads to our server."""


@dataclass
class Evil:
    """Serves the page; `rebound` to another port, everything that comes goes there instead."""

    page: bytes = b""
    rebound: int | None = None
    served: list[str] = field(default_factory=list)


@contextmanager
def evil_server(evil: Evil, at: tuple[str, int]) -> Iterator[int]:
    """A name that is rebound leads to another server at the same port. Here a relay does."""
    listener = socket.create_server(at)
    ends: list[socket.socket] = []

    def relay(one: socket.socket) -> None:
        assert evil.rebound is not None
        other = socket.create_connection(("127.0.0.1", evil.rebound))
        ends.append(other)
        threads = [threading.Thread(target=pump, args=pair) for pair in ((one, other), (other, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def answer(one: socket.socket) -> None:
        with one:
            if evil.rebound is not None:
                relay(one)
                return
            asked = one.recv(65_536).decode("latin-1").partition("\r\n")[0]
            evil.served.append(asked)
            # Other connections may have been made before: what they ask for changes nothing.
            if asked.startswith("GET / "):
                evil.rebound = RELAY[0]
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(evil.page)}\r\n"
            one.sendall(f"{head}Connection: close\r\n\r\n".encode() + evil.page)

    def listen() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            ends.append(one)
            threading.Thread(target=answer, args=(one,), daemon=True).start()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for end in ends:
            end.close()
        thread.join()


RELAY: list[int] = []


class _Naive(BaseHTTPRequestHandler):
    effects: ClassVar[list[str]] = []

    def _do(self) -> None:
        self.effects.append(f"{self.command} {self.headers.get('content-type')}")
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(200)
        for name in ("Origin", "Headers", "Methods"):
            allowed = self.headers.get("origin", "*") if name == "Origin" else "content-type"
            self.send_header(f"Access-Control-Allow-{name}", "PUT, DELETE" if name == "Methods" else allowed)
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _do  # noqa: N815 - names of the base

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def naive_server() -> Iterator[str]:
    _Naive.effects.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Naive)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def everything_in(home: Path) -> dict[str, str]:
    """What a request could have changed."""
    return {
        str(file.relative_to(home)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(home.rglob("*"))
        if file.is_file() and file.suffix not in (".db-shm", ".db-wal")
    }


def test_a_hostile_page_reads_nothing_and_does_nothing(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    with served(desk.home.path) as server, naive_server() as naive:
        shop = Workshop(server, desk, project)
        id = shop.planned()
        routes = [(method, address(path).replace("01m82nyddxq56t4mmjm4p5azy4", id)) for method, path in ROLES]
        evil = Evil()
        RELAY[:] = [server.port]
        page = PAGE % json.dumps([server.url, naive, routes])
        evil.page = page.encode()
        state = server.get(f"/api/orchestrator/{id}")["orchestrator"]
        # The same port as ours, at another address of loopback: as a name that is rebound has it.
        with (
            evil_server(evil, ("127.0.0.2", server.port)),
            browser(tmp_path / "browser", "MAP *.evil.example 127.0.0.2") as chromium,
        ):
            signed_in = chromium.open(server.link)
            signed_in.until("document.querySelector('.connection.live') !== null")
            before = everything_in(desk.home.path)
            hostile = chromium.open(f"http://rebind.evil.example:{server.port}/")
            told = json.loads(hostile.until("window.done"))
            # The person's own page works all the while.
            own = "fetch('/api/inbox', {headers: {'X-Bigtask-Key': localStorage.getItem('bigtask-key')}})"
            assert signed_in.evaluate(f"{own}.then((answer) => answer.status)") == 200
            without_key = "fetch('/api/inbox').then((answer) => answer.status)"
            assert signed_in.evaluate(without_key) == 401
        assert evil.served[0] == "GET / HTTP/1.1"
        assert told["naive"]["read"] > len(routes)
        assert {"POST text/plain;charset=UTF-8", "DELETE application/json"} <= set(_Naive.effects)
        assert told["sent"] > 20 * len(routes)
        record(14, name="attempts of a hostile page in Chromium", unit="attempts", count=told["sent"],
               violations=len(told["read"]) + len(told["opened"]))  # fmt: skip
        assert (told["read"], told["opened"]) == ([], [])
        assert everything_in(desk.home.path) == before
        after = server.get(f"/api/orchestrator/{id}")["orchestrator"]
        assert (after["seq"], after["status"]) == (state["seq"], state["status"])
        metrics = server.ask("GET", "/metrics").text
        assert "bigtask_websockets 0" in metrics
        refused = re.search(r'answers_total\{status="403"\} (\d+)', metrics)
        assert refused is not None
        assert int(refused[1]) > 10 * len(routes)
