"""The `desktop` agent at a page in a real Chromium, with sessions behind it that an agent of ours plays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bigtask.agents.desktop.agent import DesktopAgent
from bigtask.agents.protocol import Agent, Opening, Prompt, Session, SessionEvent
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from desktop.behind import Behind
from desktop.chromium import Browser, browsing


class UnderstoodAgent(DesktopAgent):
    """Says beside each prompt what it means, since those who play behind the page can't read."""

    def __init__(self, behind: Behind, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._behind = behind

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        async with super().session(opening) as session:
            yield _Understood(session, opening, self._behind)


class _Understood:
    def __init__(self, session: Session, opening: Opening, behind: Behind) -> None:
        self._session, self._opening, self._behind = session, opening, behind
        self.answer = session.answer
        self.send = session.send
        self.interrupt = session.interrupt
        self.activity = session.activity

    @property
    def id(self) -> str:
        return self._session.id

    def turn(self, prompt: Prompt) -> AsyncIterator[SessionEvent]:
        self._behind.understands[self.id] = (self._opening, prompt)
        return self._session.turn(prompt)


@dataclass(frozen=True, kw_only=True)
class Setting:
    behind: Behind
    browser: Browser

    def agent(self, **options: Any) -> UnderstoodAgent:
        return UnderstoodAgent(self.behind, self.browser.url, **options)


@asynccontextmanager
async def setting(played_by: Agent | Mapping[str, Any], **behind: Any) -> AsyncIterator[Setting]:
    """`behind` are attributes of `Behind`."""
    agent = ScriptedAgent(script_of(played_by)) if isinstance(played_by, Mapping) else played_by
    application = Behind(agent)
    for name, value in behind.items():
        setattr(application, name, value)
    async with application.serving(), browsing(application.port) as browser:
        yield Setting(behind=application, browser=browser)
