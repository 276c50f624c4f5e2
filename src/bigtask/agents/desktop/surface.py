"""What the application's page offers: its `LocalSessions`, the functions that are run there, and what they
answer. Pure.

The functions are constants, and what they are called with goes beside them as values: nothing of a prompt is
ever part of a script. The interface is the application's own and documented nowhere, so that all that is
relied on is looked for first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bigtask.agents.desktop.endpoint import OTHER_WAYS
from bigtask.errors import AgentUnavailable

REQUIRED = (
    "getAll",
    "start",
    "sendMessage",
    "getTranscript",
    "respondToToolPermission",
    "interrupt",
    "archive",
)
MOST_ROWS = 100
"""How many rows of a transcript come at once."""
BINDING = "__bigtaskPush"

HANDSHAKE = """async function (required) {
  const out = () => /^\\/(login|logout|onboarding)/.test(location.pathname);
  const offered = () => globalThis['claude.web'] && globalThis['claude.web'].LocalSessions;
  const moment = () => new Promise(goOn => setTimeout(goOn, 50));
  for (let waits = 0; waits < 30 && !offered() && !out(); waits++) await moment();
  const api = offered();
  return {
    out: out(), api: !!api, push: !!api && typeof api.onOnEvent === 'function',
    missing: api ? required.filter(name => typeof api[name] !== 'function') : [],
  };
}"""
"""A page that is being loaded gets a second and a half to offer what it has."""

CALL = """function (name, args) {
  return globalThis['claude.web'].LocalSessions[name](...args);
}"""

LOOK = f"""async function (wanted, most) {{
  // Before anything is read: what comes from here on is told again.
  if (globalThis.{BINDING}Told) globalThis.{BINDING}Told.clear();
  const api = globalThis['claude.web'].LocalSessions;
  let found = null;
  try {{ if (wanted.length === 1 && api.getSession) found = await api.getSession(wanted[0][0]) }} catch {{}}
  const all = found ? [] : await api.getAll();
  const kept = block => block.type === 'text' || block.type === 'tool_use';
  const bare = message => ({{...message, content: message.content.filter(kept)}});
  const look = async ([id, after]) => {{
    const one = found || all.find(each => each.sessionId === id || each.title === id);
    if (!one) return null;
    const told = await api.getTranscript(one.sessionId), whole = Array.isArray(told) ? told : told.messages;
    const at = after === null ? 0 : whole.findLastIndex(row => row.uuid === after) + 1;
    const rows = whole.slice(at, at + most).map(row => row.message && Array.isArray(row.message.content)
      ? {{...row, toolUseResult: undefined, message: bare(row.message)}} : row);
    return {{
      sessionId: one.sessionId, model: one.model, running: !!(one.isRunning || one.turnRunning),
      pending: [...(one.pendingToolPermissions || []), ...(one.pendingQuestions || [])],
      archived: !!one.isArchived, rows, more: whole.length > at + rows.length,
    }};
  }};
  return Promise.all(wanted.map(each => look(each).catch(error => ({{error: String(error)}}))));
}}"""
"""Many sessions at once, each as its id and the row after which to begin: one round trip for all whose turns
end together. Texts and tool calls only: what tools have answered can be large, and is never used."""

WATCH = f"""(() => {{
  const told = globalThis.{BINDING}Told = globalThis.{BINDING}Told || new Set();
  const tell = id => {{ try {{ globalThis.{BINDING}(String(id)) }} catch {{}} }};
  const news = from => {{
    const id = from && from.sessionId;
    if (told.has(id)) return;
    told.add(id);
    tell(id);
  }};
  const arm = () => {{
    const web = globalThis['claude.web'], api = web && web.LocalSessions;
    if (!api || !globalThis.{BINDING}) return setTimeout(arm, 50);
    if (globalThis.{BINDING}Armed) return;
    globalThis.{BINDING}Armed = true;
    if (api.onOnEvent) api.onOnEvent(news);
    if (api.onOnToolPermissionRequest) api.onOnToolPermissionRequest(news);
    tell('');
  }};
  arm();
}})()"""
"""Tells by the binding of which session there is news: its id, empty for all of them. It is told once, until
somebody looks."""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Something that the application asks its person. `tool` is empty for a question of another kind."""

    request_id: str
    tool: str
    given: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A session as it is, with the rows of its transcript after the one that was asked for."""

    id: str
    model: str | None
    running: bool
    archived: bool
    pending: tuple[Pending, ...]
    rows: tuple[Mapping[str, Any], ...]
    more: bool


def require(told: Mapping[str, Any]) -> bool:
    """Whether the application pushes its news, from what `HANDSHAKE` has answered.

    Raises AgentUnavailable where the page can't be worked with.
    """
    if told.get("out"):
        raise AgentUnavailable("Claude Desktop isn't signed in: sign in there and try again")
    if not told.get("api"):
        raise AgentUnavailable(
            "the page of Claude Desktop offers no LocalSessions: it is still loading, or this version has "
            f"another interface. Wait until its window is there; if it is, {OTHER_WAYS}"
        )
    missing = told.get("missing") or ()
    if missing:
        raise AgentUnavailable(
            f"the interface of this version of Claude Desktop has changed: LocalSessions lacks "
            f"{', '.join(map(str, missing))}. Update bigtask, or {OTHER_WAYS}"
        )
    return bool(told.get("push"))


def seen(told: Any) -> Seen | None:
    """From what `LOOK` has answered for one; None where there is no such session.

    Raises AgentUnavailable where it isn't what is known of the interface.
    """
    if told is None:
        return None
    match told:
        case {"sessionId": str(id), "rows": list(rows), "pending": list(pending)}:
            return Seen(
                id=id,
                model=told["model"] if isinstance(told.get("model"), str) else None,
                running=bool(told.get("running")),
                archived=bool(told.get("archived")),
                pending=tuple(one for each in pending if (one := _pending(each)) is not None),
                rows=tuple(row for row in rows if isinstance(row, dict)),
                more=bool(told.get("more")),
            )
    raise AgentUnavailable(
        "the interface of this version of Claude Desktop has changed: what it tells of a session can't be "
        f"read. Update bigtask, or {OTHER_WAYS}"
    )


def _pending(told: Any) -> Pending | None:
    match told:
        case {"requestId": str(id), "toolName": str(tool)}:
            given = told.get("input")
            return Pending(request_id=id, tool=tool, given=given if isinstance(given, dict) else {})
        case {"requestId": str(id), "questions": list()}:
            return Pending(request_id=id, tool=QUESTIONS, given=told)
    return None


QUESTIONS = "AskUserQuestion"
"""The tool by which Claude asks the person something."""


def texts_of(row: Mapping[str, Any]) -> Sequence[str]:
    """What a row says, in its order."""
    match row:
        case {"message": {"content": str(text)}}:
            return (text,)
        case {"message": {"content": list(blocks)}}:
            return [
                block["text"]
                for block in blocks
                if isinstance(block, dict)
                and block.get("type") == "text"
                and isinstance(block.get("text"), str)
            ]
    return ()
