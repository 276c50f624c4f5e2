"""The Messages API as a loopback server: it says what a test wants and keeps what it was asked.

Each request of a session is answered by the test's `Script`, a function from the `Request` to a `Reply`.
Server-sent events as in the API's streaming format; the same as one JSON message where the client doesn't
stream. `CONNECT` is refused and counted, so that a client whose HTTPS proxy is the stub shows whatever else
it wanted to reach.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

MODEL = "claude-sonnet-5"
_MOST_WAIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """`number` counts the requests of the session from 1, those that were refused included."""

    session: str
    number: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(tool["name"] for tool in self.body.get("tools", ()))

    @property
    def texts(self) -> tuple[str, ...]:
        """What was said to the model, in order: prompts and what the client added to them."""
        return tuple(
            block["text"]
            for message in self.body["messages"]
            if message["role"] != "assistant"
            for block in _blocks(message["content"])
            if block["type"] == "text"
        )

    @property
    def results(self) -> tuple[str, ...]:
        """The tools' results, in order."""
        return tuple(
            "".join(part.get("text", "") for part in _blocks(block.get("content", "")))
            for message in self.body["messages"]
            if message["role"] == "user"
            for block in _blocks(message["content"])
            if block["type"] == "tool_result"
        )

    @property
    def calls(self) -> tuple[Mapping[str, Any], ...]:
        """The tools that the model has used so far, with `name` and `input`."""
        return tuple(
            block
            for message in self.body["messages"]
            if message["role"] == "assistant"
            for block in _blocks(message["content"])
            if block["type"] == "tool_use"
        )

    @property
    def results_since_prompt(self) -> int:
        """How many results came since something was last said to the model."""
        found = 0
        for message in reversed(self.body["messages"]):
            if message["role"] == "user":
                results = [block for block in _blocks(message["content"]) if block["type"] == "tool_result"]
                if not results:
                    break
                found += len(results)
        return found

    def schema(self, tool: str) -> Mapping[str, Any]:
        return next(known["input_schema"] for known in self.body["tools"] if known["name"] == tool)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A tool that the model wants to use."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """`blocks` are texts and calls. `status` other than 200 is an error of kind `error`.

    `fault` is what becomes of the stream after the blocks: `stalled` leaves it open and silent until the
    client or the stub goes, `broken` ends it in the middle, `garbage` isn't the format at all.
    """

    blocks: Sequence[str | Call] = ()
    status: int = 200
    error: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Literal["", "stalled", "broken", "garbage"] = ""
    after: Callable[[], object] | None = None
    """Called in the server's thread when the blocks are out: a blow against the client."""
    input_tokens: int = 100
    output_tokens: int = 20
    stop_reason: str | None = None

    @property
    def stop(self) -> str:
        called = any(isinstance(block, Call) for block in self.blocks)
        return self.stop_reason or ("tool_use" if called else "end_turn")


Script = Callable[[Request], Reply]


def in_order(*replies: Reply) -> Script:
    """One reply for each request of a session; the last is repeated."""
    return lambda request: replies[min(request.number, len(replies)) - 1]


class Stub:
    """What was asked, by session where the client names one."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.refused: list[str] = []
        """Everything but requests for messages: paths, and the hosts that a CONNECT named."""
        self.tokens: Counter[str] = Counter()
        """`input` and `output`: what would have been charged for."""
        self.closing = threading.Event()
        self._numbers: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.url = ""

    def take(self, session: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Request:
        with self._lock:
            self._numbers[session] += 1
            request = Request(session=session, number=self._numbers[session], headers=headers, body=body)
            self.requests.append(request)
        return request

    def charge(self, **tokens: int) -> None:
        with self._lock:
            self.tokens.update(tokens)

    def refuse(self, what: str) -> None:
        with self._lock:
            self.refused.append(what)


@contextmanager
def stubbed(script: Script) -> Iterator[Stub]:
    """A running stub on a free port of the loopback interface; leaving the block ends every connection."""
    stub = Stub(script)

    class Handler(_Handler):
        served = stub

    server = _Server(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        stub.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed breaks its connection: that is no error of the stub."""


class _Handler(BaseHTTPRequestHandler):
    served: Stub
    protocol_version = "HTTP/1.1"
    # A connection that is kept open would keep the stub from closing.
    timeout = 0.5

    def log_message(self, *_: Any) -> None:
        pass

    def do_CONNECT(self) -> None:
        self._refuse(f"CONNECT {self.path}")

    def do_GET(self) -> None:
        self._refuse(f"GET {self.path}")

    def do_HEAD(self) -> None:
        self._refuse(f"HEAD {self.path}")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path.partition("?")[0] != "/v1/messages":
            self._refuse(f"POST {self.path}")
            return
        body = json.loads(raw)
        session = self.headers.get("x-claude-code-session-id", "")
        request = self.served.take(session, dict(self.headers.items()), body)
        reply = self.served.script(request)
        if reply.status != 200:
            self._error(reply)
        elif body.get("stream"):
            self._stream(request, reply)
        else:
            self.served.charge(input=reply.input_tokens, output=reply.output_tokens)
            self._json(200, _message(request, reply, _content(request, reply)), {})

    def _refuse(self, what: str) -> None:
        self.served.refuse(what)
        self._json(403, {"type": "error", "error": {"type": "forbidden", "message": "not here"}}, {})

    def _error(self, reply: Reply) -> None:
        error = {"type": reply.error, "message": reply.message or reply.error}
        self._json(reply.status, {"type": "error", "error": error}, reply.headers)

    def _json(self, status: int, value: Any, headers: Mapping[str, str]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, said in headers.items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, request: Request, reply: Reply) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        for name, said in reply.headers.items():
            self.send_header(name, said)
        self.end_headers()
        if reply.fault == "garbage":
            self.wfile.write(b"this is no event stream\n\n")
            return
        self.served.charge(input=reply.input_tokens, output=1)
        self._event({"type": "message_start", "message": _message(request, reply, [])})
        for index, block in enumerate(_content(request, reply)):
            for event in _block_events(index, block):
                self._event(event)
        if reply.after is not None:
            reply.after()
        if reply.fault == "stalled":
            with suppress(OSError):
                self.wfile.flush()
                self.served.closing.wait(_MOST_WAIT_S)
            return
        if reply.fault == "broken":
            return
        self.served.charge(output=reply.output_tokens - 1)
        usage = {"output_tokens": reply.output_tokens}
        delta = {"stop_reason": reply.stop, "stop_sequence": None}
        self._event({"type": "message_delta", "delta": delta, "usage": usage})
        self._event({"type": "message_stop"})

    def _event(self, event: Mapping[str, Any]) -> None:
        self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _content(request: Request, reply: Reply) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": block}
        if isinstance(block, str)
        else {
            "type": "tool_use",
            "id": f"toolu_{request.session[:8]}_{request.number}_{index}",
            "name": block.name,
            "input": dict(block.input),
        }
        for index, block in enumerate(reply.blocks)
    ]


def _message(request: Request, reply: Reply, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{request.session[:8]}_{request.number}",
        "type": "message",
        "role": "assistant",
        "model": request.body.get("model", MODEL),
        "content": content,
        "stop_reason": reply.stop if content else None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": reply.input_tokens,
            "output_tokens": reply.output_tokens if content else 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _block_events(index: int, block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    start: dict[str, Any]
    if block["type"] == "text":
        start, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        start = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    yield {"type": "content_block_start", "index": index, "content_block": start}
    yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
