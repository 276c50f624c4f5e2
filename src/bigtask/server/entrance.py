"""Where browsers sign in, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from bigtask.server.envelope import success
from bigtask.server.guard import COOKIE, address_of, session_cookie, too_many
from bigtask.server.parts import Gate, TheGate
from bigtask.server.refusal import Refusal
from bigtask.server.request_body import Body
from bigtask.server.schemas import STRING, answers
from bigtask.server.sign_in import LINK_S
from bigtask.server.strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["sign-in"])


class SignIn(Body):
    code: Annotated[str, Field(min_length=1, max_length=200)]


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>bigtask</title>
<script src="/sign-in.js" defer></script>
<body><h1>bigtask</h1><p id="said" role="status">Signing in…</p>
<noscript><p>Signing in needs JavaScript.</p></noscript></body></html>
"""

# The code stands behind the #, which browsers send to nobody and keep out of logs; it is taken out of the
# address at once. The key is kept where only this origin can read it.
_SCRIPT = """"use strict";
const said = document.getElementById("said");
const code = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
async function signIn() {
  if (!code) {
    said.textContent = "This page needs the whole link that bigtask serve printed.";
    return;
  }
  const answer = await fetch("/api/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  const told = await answer.json();
  if (told.success) {
    localStorage.setItem("bigtask-key", told.key);
    said.textContent = "You are signed in.";
    location.replace("/");
  } else {
    said.textContent = told.message;
  }
}
signIn().catch(() => { said.textContent = "The server doesn't answer: is bigtask serve still running?"; });
"""


@router.get("/sign-in", include_in_schema=False)
async def sign_in_page() -> Response:
    return Response(_PAGE, media_type="text/html")


@router.get("/sign-in.js", include_in_schema=False)
async def sign_in_script() -> Response:
    return Response(_SCRIPT, media_type="text/javascript")


@router.post("/api/sign-in", responses=answers(key=STRING))
async def sign_in(gate: TheGate, request: Request, body: SignIn) -> Response:
    """Takes the code of a link, once, and sets the cookie of a session. `key` goes with every request into
    the header X-Bigtask-Key."""
    signed_in = gate.sign_ins.sign_in(body.code)
    if signed_in is None:
        wait_s = gate.failures.count(address_of(request.scope))
        if wait_s:
            raise too_many(wait_s)
        raise Refusal(
            401, "this link was used already or is too old: get a new one with `bigtask serve --link`"
        )
    answer = success(key=signed_in.key)
    answer.set_cookie(
        COOKIE, signed_in.cookie, httponly=True, samesite="strict", secure=gate.doors.encrypted, path="/"
    )
    return answer


@router.post("/api/sign-out", responses=answers())
async def sign_out(gate: TheGate, request: Request) -> Response:
    """Ends the session of the cookie."""
    cookie = session_cookie(request.headers.get("cookie", ""))
    if cookie is not None:
        gate.sign_ins.sign_out(cookie)
    answer = success()
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/")
    return answer


@router.post("/api/sign-in-links", status_code=201, responses=answers(code=201, said="Created.", link=STRING))
async def new_link(gate: TheGate) -> Response:
    """A link that signs a browser in, once, within a quarter of an hour."""
    return success(201, link=link_to(gate), validForSeconds=LINK_S)


def link_to(gate: Gate) -> str:
    return f"{gate.doors.url}/sign-in#{gate.sign_ins.new_code()}"
