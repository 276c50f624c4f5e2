"""Nobody gets in who shouldn't: every route against every attack, and each defence taken out once."""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.routing import Route

from bigtask.dashboard import pages
from bigtask.errors import InvalidInput
from bigtask.server import body as bodies
from bigtask.server import guard as guarding
from bigtask.server import sign_in as signing
from bigtask.server.body import BODY_LIMIT
from bigtask.server.credentials import Credentials
from bigtask.server.doors import doors
from bigtask.server.guard import HEADERS, PUBLIC, SOCKET, Guard
from bigtask.server.role import MARK
from bigtask.server.sign_in import Failures, SignIns
from promises.totals import record

from .asgi import HOST, ORIGIN, PORT, Fort, fort
from .here import here

RUN = "01m82nyddxq56t4mmjm4p5azy4"

ROLES = {
    ("GET", "/api/orchestrator/templates"): "owner delegate",
    ("GET", "/api/orchestrator/templates/export"): "owner delegate",
    ("GET", "/api/orchestrator/templates/{template_id}"): "owner delegate",
    ("GET", "/api/orchestrator/templates/{template_id}/text"): "owner delegate",
    ("POST", "/api/orchestrator/templates"): "owner",
    ("PUT", "/api/orchestrator/templates/{template_id}"): "owner",
    ("DELETE", "/api/orchestrator/templates/{template_id}"): "owner",
    ("POST", "/api/orchestrator/templates/{template_id}/duplicate"): "owner",
    ("GET", "/api/orchestrator/templates/{template_id}/consent"): "owner",
    ("POST", "/api/orchestrator/templates/{template_id}/approve"): "owner",
    ("POST", "/api/orchestrator/templates/import"): "owner",
    ("POST", "/api/orchestrator/templates/validate"): "owner delegate",
    ("POST", "/api/orchestrator/templates/{template_id}/preview"): "owner delegate",
    ("GET", "/api/orchestrator"): "owner delegate",
    ("POST", "/api/orchestrator/create"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/status"): "owner delegate",
    ("POST", "/api/orchestrator/{run_id}/start"): "owner delegate",
    ("POST", "/api/orchestrator/{run_id}/adopt"): "owner",
    ("POST", "/api/orchestrator/{run_id}/pause"): "owner delegate",
    ("POST", "/api/orchestrator/{run_id}/resume"): "owner",
    ("POST", "/api/orchestrator/{run_id}/cancel"): "owner",
    ("PUT", "/api/orchestrator/{run_id}/plan"): "owner delegate",
    ("POST", "/api/orchestrator/{run_id}/plan/check"): "owner delegate",
    ("POST", "/api/orchestrator/{run_id}/confirm"): "owner",
    ("POST", "/api/orchestrator/{run_id}/confirm-tasks"): "owner",
    ("POST", "/api/orchestrator/{run_id}/answer"): "owner",
    ("POST", "/api/orchestrator/{run_id}/merge"): "owner",
    ("POST", "/api/orchestrator/{run_id}/merge/undo"): "owner",
    ("GET", "/api/orchestrator/{run_id}/events"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/result"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/diff"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/merge"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/report"): "owner delegate",
    ("DELETE", "/api/orchestrator/{run_id}"): "owner",
    ("GET", "/api/orchestrator/{run_id}/workers"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/workers/{task_id}"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/workers/{task_id}/transcript"): "owner delegate",
    ("GET", "/api/orchestrator/{run_id}/workers/{task_id}/conflict"): "owner delegate",
    ("POST", "/api/orchestrator/{run_id}/workers/{task_id}/retry"): "owner",
    ("POST", "/api/orchestrator/{run_id}/workers/{task_id}/cancel"): "owner",
    ("POST", "/api/orchestrator/{run_id}/workers/{task_id}/pause"): "owner delegate",
    ("POST", "/api/orchestrator/{run_id}/workers/{task_id}/resume"): "owner",
    ("POST", "/api/orchestrator/{run_id}/workers/{task_id}/message"): "owner",
    ("POST", "/api/orchestrator/{run_id}/workers/{task_id}/report"): "attempt",
    ("GET", "/api/inbox"): "owner delegate",
    ("GET", "/api/agents"): "owner delegate",
    ("GET", "/api/system"): "owner",
    ("GET", "/api/project"): "owner",
    ("GET", "/api/schemas/template"): "owner delegate",
    ("GET", "/api/health"): "owner delegate attempt",
    ("GET", "/metrics"): "owner delegate",
    ("GET", "/api/openapi.json"): "owner delegate",
    ("GET", "/sign-in"): "anybody",
    ("GET", "/sign-in.js"): "anybody",
    ("POST", "/api/sign-in"): "anybody",
    **dict.fromkeys((("GET", path) for path in pages.FILES), "anybody"),
    ("POST", "/api/sign-out"): "owner",
    ("POST", "/api/sign-in-links"): "owner",
    ("WEBSOCKET", "/api/ws"): "owner delegate",
    ("POST", "/mcp"): "owner delegate",
}
"""Who may do what. A new route belongs in here: what isn't is nobody's decision."""

HOSTS: list[str | None] = [
    None,
    "",
    " ",
    "127.0.0.1",
    "localhost",
    f"127.0.0.1:{PORT + 1}",
    "127.0.0.1:80",
    "127.0.0.1:",
    f"127.0.0.1:0{PORT}",
    f"127.0.0.1:{PORT} ,evil.example",
    f"127.0.0.1.nip.io:{PORT}",
    f"localhost.evil.example:{PORT}",
    f"localhost.:{PORT}",
    f"evil.example:{PORT}",
    f"rebind.evil.example:{PORT}",
    "evil.example",
    f"0.0.0.0:{PORT}",
    f"127.1:{PORT}",
    f"127.0.0.2:{PORT}",
    f"2130706433:{PORT}",
    f"0x7f.0.0.1:{PORT}",
    f"0177.0.0.1:{PORT}",
    f"[::]:{PORT}",
    f"[::ffff:127.0.0.1]:{PORT}",
    f"::1:{PORT}",
    f"[::1%25lo]:{PORT}",
    f"user@127.0.0.1:{PORT}",
    f"127.0.0.1:{PORT}/",
    f"127.0.0.1:{PORT}?",
    f"x/api/health?:{PORT}",
    f"http://127.0.0.1:{PORT}",
    f"192.168.1.9:{PORT}",
]

ORIGINS = [
    "https://evil.example",
    "null",
    "",
    "http://evil.example:7717",
    "http://192.168.1.9",
    f"http://192.168.1.9:{PORT}",
    "http://localhost:9999",
    "http://127.0.0.1",
    f"https://127.0.0.1:{PORT}",
    f"http://127.0.0.1:{PORT}.evil.example",
    f"http://127.0.0.1.evil.example:{PORT}",
    f"http://localhost.evil.example:{PORT}",
    "vscode-webview://x",
    "file://",
    f"chrome-extension://abcdef:{PORT}",
]

TYPES: list[str | None] = [
    None,
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/json",
    "application/json-patch+json",
    "application/json; charset=utf-16",
    "application/json, text/plain",
]

METHODS = ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "get", "QUERY", "EVIL"]


def routes(of: FastAPI) -> set[tuple[str, str]]:
    """Every method of every route of the application itself."""
    found = set()
    for route in of.routes:
        methods = route.methods if isinstance(route, Route) else {"WEBSOCKET"}
        found |= {(method, getattr(route, "path", "?")) for method in methods}
    return found


def address(path: str) -> str:
    return path.format(run_id=RUN, task_id="left", template_id="mine")


def guarded_routes() -> list[tuple[str, str]]:
    return [(method, address(path)) for (method, path), roles in ROLES.items() if roles != "anybody"]


def everything() -> list[tuple[str, str]]:
    return [(method, address(path)) for method, path in ROLES]


def writing() -> list[tuple[str, str]]:
    """What the owner's token opens and takes a body."""
    return [
        (method, address(path))
        for (method, path), roles in ROLES.items()
        if method in ("POST", "PUT", "DELETE") and roles != "attempt"
    ]


@pytest.fixture
def tried(tmp_path: Path) -> Fort:
    return fort(tmp_path)


async def test_every_route_of_a_server_has_its_place_in_the_table_of_roles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with here(tmp_path / "home", monkeypatch) as server:
        assert routes(server.app) == set(ROLES)
        server.app.add_api_route("/api/new", lambda: None)
        assert routes(server.app) != set(ROLES)


def test_what_is_attacked_is_all_that_a_server_has(tried: Fort) -> None:
    assert routes(tried.app) == set(ROLES)
    assert {key for key, roles in ROLES.items() if roles == "anybody"} == PUBLIC
    assert SOCKET == "/api/ws"


def test_the_document_says_who_may_use_each_route(tried: Fort) -> None:
    for route in tried.app.routes:
        if isinstance(route, Route):
            for method in route.methods or ():
                roles = ROLES[method, route.path]
                said = (getattr(route, "openapi_extra", None) or {}).get(MARK, ["owner"])
                assert roles == "anybody" or " ".join(said) == roles, route.path


@dataclass(frozen=True)
class Attack:
    """`right`: what the same request is answered without the attack is that it gets through."""

    name: str
    cases: Callable[[Fort], Iterator[tuple[str, str, dict[str, object]]]]
    expected: frozenset[int]


def _tokens(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    wrong = [
        None,
        "",
        "x",
        of.owner[:-1],
        of.owner + "x",
        of.owner.swapcase(),
        of.owner[::-1],
        "é" * 43,
        of.credentials.of_attempt(RUN, "left", 1),  # over: nothing is live
        f"attempt.{RUN}.left.1.{'0' * 64}",
        "attempt.....",
        "." * 200,
    ]
    for (method, path), token in itertools.product(guarded_routes(), wrong):
        yield method, path, {"token": token}
    for header in (of.owner, f"Basic {of.owner}", f"Token {of.owner}", "Bearer", f"Bearer {of.owner} x"):
        yield "GET", "/api/health", {"headers": [("authorization", header)]}
    twice = [("authorization", f"Bearer {of.owner}"), ("authorization", "Bearer x")]
    yield "GET", "/api/health", {"headers": twice}


def _hosts(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    for (method, path), host in itertools.product(everything(), HOSTS):
        yield method, path, {"token": of.owner, "host": host}
    for method, path in everything():
        yield method, path, {"token": of.owner, "headers": [("host", HOST)]}  # twice


def _origins(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    for (method, path), origin in itertools.product(everything(), ORIGINS):
        yield method, path, {"token": of.owner, "headers": [("origin", origin)]}


def _sites(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    for (method, path), site in itertools.product(everything(), ["cross-site", "same-site", "x"]):
        yield method, path, {"token": of.owner, "headers": [("sec-fetch-site", site)]}


def _types(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    for (method, path), kind in itertools.product(writing(), TYPES):
        headers = [] if kind is None else [("content-type", kind)]
        yield method, path, {"token": of.owner, "headers": headers, "body": b'{"a": 1}'}


def _lengths(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    long = [("content-type", "application/json"), ("content-length", str(BODY_LIMIT + 1))]
    for method, path in writing():
        yield method, path, {"token": of.owner, "headers": long, "body": b"{}"}
    lying = [("content-type", "application/json"), ("content-length", "2")]
    body = b" " * (BODY_LIMIT + 1)
    yield "POST", "/api/orchestrator/create", {"token": of.owner, "headers": lying, "body": body}


def _methods(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    for (_, path), method in itertools.product(guarded_routes(), METHODS):
        if method != "HEAD":
            yield method, path, {"token": of.owner}
        yield method, path, {}


def _delegates(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    for (method, path), roles in ROLES.items():
        if roles == "owner":
            yield method, address(path), {"token": of.delegate}


def _cookies(of: Fort) -> Iterator[tuple[str, str, dict[str, object]]]:
    signed_in = of.sign_ins.sign_in(of.sign_ins.new_code())
    other = of.sign_ins.sign_in(of.sign_ins.new_code())
    assert signed_in is not None
    assert other is not None
    cookie = ("cookie", f"bigtask={signed_in.cookie}")
    key = "x-bigtask-key"
    for method, path in guarded_routes():
        yield method, path, {"headers": [cookie]}
        yield method, path, {"headers": [cookie, (key, other.key)]}
        yield method, path, {"headers": [cookie, (key, "")]}
        yield method, path, {"headers": [(key, signed_in.key)]}
        yield method, path, {"headers": [("cookie", "bigtask=x"), (key, signed_in.key)]}
    of.sign_ins.sign_out(other.cookie)
    gone = ("cookie", f"bigtask={other.cookie}")
    yield "GET", "/api/health", {"headers": [gone, (key, other.key)]}
    bare = [cookie, ("sec-websocket-protocol", f"bigtask, key.{signed_in.key}")]
    yield "WEBSOCKET", "/api/ws", {"headers": bare}  # without an Origin: not a browser


ATTACKS = {
    attack.name: attack
    for attack in (
        Attack("tokens", _tokens, frozenset({401})),
        Attack("hosts", _hosts, frozenset({403})),
        Attack("origins", _origins, frozenset({403})),
        Attack("sites", _sites, frozenset({403})),
        Attack("types", _types, frozenset({415})),
        Attack("lengths", _lengths, frozenset({400})),
        Attack("methods", _methods, frozenset({401, 405})),
        Attack("delegates", _delegates, frozenset({403})),
        Attack("cookies", _cookies, frozenset({401})),
    )
}


def let_through(of: Fort, attack: Attack) -> list[tuple[str, str, dict[str, object], int]]:
    """The cases that weren't refused as they should have been, or reached the application."""
    found = []
    for method, path, given in attack.cases(of):
        outcome = of.attack(method, path, **given)
        if outcome.reached or outcome.status not in attack.expected:
            found.append((method, path, given, outcome.status))
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_no_route_lets_an_attack_through(tried: Fort, name: str) -> None:
    cases = list(ATTACKS[name].cases(tried))
    assert len(cases) >= 10
    through = let_through(tried, ATTACKS[name])
    record(14, name=f"requests by attack: {name}", unit="requests", count=len(cases), violations=len(through))
    assert through[:5] == []
    assert tried.behind.reached == []


def _no_host(self: Guard, headers: object) -> None: ...


def _ends_with(self: Guard, headers: guarding._Headers) -> None:
    if not any(host.startswith(("127.0.0.1", "localhost")) for host in headers.all("host")):
        raise guarding.Refusal(403, "no")


MUTANTS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "no look at the Host": ("hosts", lambda m: m.setattr(Guard, "_require_host", _no_host)),
    "a Host that only begins right": ("hosts", lambda m: m.setattr(Guard, "_require_host", _ends_with)),
    "no look at the Origin": ("origins", lambda m: m.setattr(Guard, "_require_origin", _no_host)),
    "no look at the site": ("sites", lambda m: m.setattr(Guard, "_require_origin", _no_host)),
    "any token will do": (
        "tokens",
        lambda m: m.setattr(Credentials, "caller", lambda self, token: self.signed_in),
    ),
    "attempts never end": (
        "tokens",
        lambda m: m.setattr(
            Credentials, "_attempt", lambda self, token: self.signed_in if token.count(".") == 4 else None
        ),
    ),
    "no origin means trusted": (
        "tokens",
        lambda m: m.setattr(
            Guard,
            "_known",
            lambda self, scope, headers: None if headers.all("origin") else self._credentials.signed_in,
        ),
    ),
    "the cookie is enough": ("cookies", lambda m: m.setattr(SignIns, "holds", lambda *_: True)),
    "any content type": ("types", lambda m: m.setattr(bodies, "_is_json", lambda types: True)),
    "bodies of any length": ("lengths", lambda m: m.setattr(bodies, "BODY_LIMIT", 1 << 40)),
    "any method": (
        "methods",
        lambda m: m.setattr(Guard, "_roles", lambda self, scope, method: ("owner", "delegate", "attempt")),
    ),
    "every role is the owner": (
        "delegates",
        lambda m: m.setattr(Guard, "_roles", lambda self, scope, method: ("owner", "delegate", "attempt")),
    ),
    "more public than is meant": (
        "tokens",
        lambda m: m.setattr(guarding, "PUBLIC", frozenset({*PUBLIC, ("GET", "/metrics")})),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_defence_is_missed_when_it_is_taken_out(
    tried: Fort, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, take_out = MUTANTS[name]
    take_out(monkeypatch)
    assert let_through(tried, ATTACKS[attack])


def test_who_is_right_gets_through_to_every_route(tried: Fort) -> None:
    for (method, path), roles in ROLES.items():
        for role, token in (("owner", tried.owner), ("delegate", tried.delegate)):
            outcome = tried.attack(method, address(path), token=token)
            assert outcome.reached == (role in roles or roles == "anybody"), (method, path, role)


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"[::1]:{PORT}", f"LOCALHOST:{PORT}"])
def test_the_servers_own_names_are_let_in(tried: Fort, host: str) -> None:
    assert tried.attack("GET", "/api/health", token=tried.owner, host=host).reached
    origin = [("origin", f"http://{host.lower()}")]
    assert tried.attack("WEBSOCKET", "/api/ws", token=tried.owner, host=host, headers=origin).reached


def test_cookie_and_key_together_are_the_owner(tried: Fort) -> None:
    signed_in = tried.sign_ins.sign_in(tried.sign_ins.new_code())
    assert signed_in is not None
    cookie = ("cookie", f"other=1; bigtask={signed_in.cookie}")
    asked = [cookie, ("x-bigtask-key", signed_in.key), ("origin", ORIGIN)]
    assert tried.attack("POST", f"/api/orchestrator/{RUN}/merge", headers=asked).reached
    talked = [cookie, ("origin", ORIGIN), ("sec-websocket-protocol", f"bigtask, key.{signed_in.key}")]
    assert tried.attack("WEBSOCKET", "/api/ws", headers=talked).reached


def test_a_token_of_an_attempt_opens_nothing_but_health_and_ends_with_the_attempt(tmp_path: Path) -> None:
    live = {(RUN, "left.part", 2)}
    of = fort(tmp_path, live=lambda *attempt: attempt in live)
    token = of.credentials.of_attempt(RUN, "left.part", 2)
    refused = 0
    for (method, path), roles in ROLES.items():
        outcome = of.attack(method, address(path), token=token)
        if "attempt" in roles or roles == "anybody":
            assert outcome.reached
        else:
            assert (outcome.status, outcome.reached) == (403, False), path
            refused += 1
    assert refused >= 15
    forged = token.replace(".2.", ".3.")
    assert of.attack("GET", "/api/health", token=forged).status == 401
    live.clear()
    for method, path in guarded_routes():
        assert of.attack(method, path, token=token).status == 401


def test_every_answer_has_the_headers_that_keep_browsers_from_harm(tried: Fort) -> None:
    for method, path in everything():
        for token in (None, tried.owner):
            outcome = tried.attack(method, path, token=token)
            if outcome.status != 101:
                for name, value in HEADERS:
                    assert outcome.headers[name.decode()] == value.decode()
    assert "default-src 'self'" in dict(HEADERS)[b"content-security-policy"].decode()


def test_a_refusal_has_the_shape_of_every_error_and_says_what_to_do(tried: Fort) -> None:
    said = tried.attack("GET", "/api/inbox").said
    assert said.pop("timestamp").endswith("Z")
    assert "Authorization: Bearer" in said.pop("message")
    assert said == {"success": False, "error": "Unauthorized", "details": {}}


def test_more_than_ten_wrong_credentials_a_minute_have_to_wait_and_the_right_one_never(
    tmp_path: Path,
) -> None:
    now = [0.0]
    of = fort(tmp_path, failures=Failures(clock=lambda: now[0]))
    wrong = of.owner[::-1]
    statuses = [of.attack("GET", "/api/health", token=wrong).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    waiting = of.attack("GET", "/api/health", token=wrong)
    assert waiting.headers["retry-after"] == str(waiting.said["details"]["retryAfterSeconds"]) == "61"
    assert of.attack("GET", "/api/health", token=of.owner).reached
    now[0] = 60.5
    assert of.attack("GET", "/api/health", token=wrong).status == 401


def test_a_link_works_once_and_not_for_long() -> None:
    now = [0.0]
    of = SignIns(clock=lambda: now[0])
    code = of.new_code()
    assert of.sign_in(code) is not None
    assert of.sign_in(code) is None
    late = of.new_code()
    now[0] = signing.LINK_S + 1.0
    assert of.sign_in(late) is None
    assert of.sign_in("") is None


def test_a_session_that_nobody_uses_ends() -> None:
    now = [0.0]
    of = SignIns(clock=lambda: now[0])
    session = of.sign_in(of.new_code())
    assert session is not None
    for _ in range(3):
        now[0] += signing.SESSION_S - 1
        assert of.holds(session.cookie, session.key)
    now[0] += signing.SESSION_S + 1
    assert not of.holds(session.cookie, session.key)


def test_who_is_signed_in_stays_so_when_the_server_starts_anew_and_who_signed_out_does_not(
    tmp_path: Path,
) -> None:
    file, now = tmp_path / "sign-ins", [1000.0]
    of = SignIns(file, lambda: now[0])
    ada, bob = of.sign_in(of.new_code()), of.sign_in(of.new_code())
    assert ada is not None
    assert bob is not None
    code = of.new_code()
    of.sign_out(bob.cookie)
    kept = file.read_text()
    assert not any(secret in kept for secret in (ada.cookie, ada.key, bob.cookie, code))
    again = SignIns(file, lambda: now[0])
    assert again.holds(ada.cookie, ada.key)
    assert not again.holds(ada.cookie, bob.key)
    assert not again.holds(bob.cookie, bob.key)
    assert again.sign_in(code) is None
    now[0] += signing.SESSION_S - 1
    assert again.holds(ada.cookie, ada.key)
    now[0] += signing.SESSION_S - 1
    assert SignIns(file, lambda: now[0]).holds(ada.cookie, ada.key)
    file.write_text("[")
    assert not SignIns(file, lambda: now[0]).holds(ada.cookie, ada.key)


def test_tokens_have_256_bits_and_are_the_persons_alone(tmp_path: Path) -> None:
    of = fort(tmp_path)
    folder = of.home.path / "server"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("token", "delegate-token"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert len((folder / name).read_text().strip()) == 43
    assert of.owner != of.delegate
    again = fort(tmp_path)
    assert again.owner == of.owner


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o666])
def test_a_token_that_others_could_read_isnt_used(tmp_path: Path, mode: int) -> None:
    fort(tmp_path)
    (tmp_path / "home/server/token").chmod(mode)
    with pytest.raises(InvalidInput, match="can be read by others"):
        fort(tmp_path)


def test_a_link_in_the_place_of_a_token_isnt_followed(tmp_path: Path) -> None:
    fort(tmp_path)
    file = tmp_path / "home/server/token"
    file.unlink()
    (tmp_path / "known").write_text("k" * 43)
    os.chmod(tmp_path / "known", 0o600)
    file.symlink_to(tmp_path / "known")
    with pytest.raises(InvalidInput, match="remove it"):
        fort(tmp_path)


def test_a_proxy_is_known_by_its_name_alone() -> None:
    found = doors("127.0.0.1", 7717, proxy="https://bigtask.example.org")
    assert found.url == "https://bigtask.example.org"
    assert {"bigtask.example.org", "bigtask.example.org:443", HOST} <= found.hosts
    assert "https://bigtask.example.org" in found.origins
    assert "http://bigtask.example.org" not in found.origins
    for wrong in (
        "http://x.org",
        "x.org",
        "https://x.org/path",
        "https://",
        "https://u@x.org",
        "https://x:99999",
    ):
        with pytest.raises(InvalidInput, match="https://NAME"):
            doors("127.0.0.1", 7717, proxy=wrong)


def test_no_secret_of_a_link_or_a_session_is_kept_as_it_is() -> None:
    of = SignIns()
    code = of.new_code()
    session = of.sign_in(of.new_code())
    assert session is not None
    kept = json.dumps([list(of._codes), [(c, k) for c, (k, _) in of._sessions.items()]])
    assert code not in kept
    assert session.cookie not in kept
    assert session.key not in kept
