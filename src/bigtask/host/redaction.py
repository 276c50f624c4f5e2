"""Taking out of a run's records what tells who made them, and what opens doors.

Places become `<project>`, `<bigtask>`, `<home>`; the person `<user>`; addresses `<email>`; keys and passwords
`<secret>`. It knows the usual shapes and what the person's environment holds; it can't know everything, so a
person looks before anything is sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from bigtask.core import states
from bigtask.secrecy import Secrecy

_SHORTEST_NAME = 3
_SHORTEST_SECRET = 8
_COMMON = frozenset(
    {"admin", "agent", "build", "debian", "docker", "guest", "home", "node", "person", "root", "runner"}
    | {"server", "system", "task", "test", "tests", "ubuntu", "user", "vagrant", "work", "worker"}
) | {
    str(member)
    for kind in (states.Phase, states.Outcome, states.TaskState, states.AttemptState, states.WaitingKind)
    for member in kind
}
"""Names of users that are everybody's, and words that records are made of."""

_NAME_ENDS = r"[A-Za-z0-9_.-]{0,40}(?:api[_-]?key|secret|token|passw(?:or)?d|credentials?|private[_-]?key)"
# Stricter than what a run keeps: an export goes to others, and less of it has to stay readable.
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{8,}")
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@:]{1,256}:[^\s/@]{1,256}@")
_ASSIGNED = re.compile(
    rf"(?i)(?<![A-Za-z0-9_.-])({_NAME_ENDS})([\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?)([^\s\"',;<>]{{8,}})"
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}\b"
)
_OTHER_HOME = re.compile(r"(?:/home|/Users)/[^/\s\"'<>:]+")
_NAME_OF_SECRET = re.compile(rf"(?i){_NAME_ENDS}|.*[_-]key")


class Redaction:
    """`found` counts what was replaced, by placeholder."""

    def __init__(
        self, *, places: Mapping[str, str], user: str = "", environ: Mapping[str, str] | None = None
    ) -> None:
        """`places` are absolute paths by their placeholder, without its brackets. The values of variables of
        `environ` whose names speak of a secret are one."""
        self.found: Counter[str] = Counter()
        secrets = {
            value
            for name, value in (environ or {}).items()
            if len(value) >= _SHORTEST_SECRET and _NAME_OF_SECRET.fullmatch(name)
        }
        paths = [(path, f"<{name}>") for name, path in places.items() if len(path) > 1]
        # As programs name their own folders for a project: `-home-ada-project`.
        paths += [(path.replace("/", "-"), mark) for path, mark in paths if path.count("/") > 1]
        paths.sort(key=lambda pair: -len(pair[0]))
        self._exact = [*((value, "<secret>") for value in sorted(secrets, key=len, reverse=True)), *paths]
        named = len(user) >= _SHORTEST_NAME and user.lower() not in _COMMON
        self._secrecy = Secrecy()
        self._user = user
        self._user_word = re.compile(rf"(?<![\w<]){re.escape(user)}(?![\w>])") if named else None

    def text(self, text: str) -> str:
        text = self._of_any(text)
        return text if self._user_word is None else self._replaced(self._user_word, "<user>", text)

    def _of_any(self, text: str) -> str:
        for value, mark in self._exact:
            if value in text:
                self.found[mark] += text.count(value)
                text = text.replace(value, mark)
        text = self._replaced(_BEARER, "<secret>", text, lambda m: f"{m[1]}{m[2]}<secret>")
        text = self._replaced(_IN_ADDRESS, "<secret>", text, lambda m: f"{m[1]}<secret>@")
        text = self._secrecy.replaced(text, self._count_secret)
        text = self._replaced(_ASSIGNED, "<secret>", text, lambda m: f"{m[1]}{m[2]}<secret>")
        text = self._replaced(_EMAIL, "<email>", text)
        return self._replaced(_OTHER_HOME, "<home>", text)

    def _count_secret(self, kind: str) -> str:
        self.found["<secret>"] += 1
        return "<secret>"

    def value(self, value: Any) -> Any:
        """JSON values, with the texts and the keys in them redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            # The names of fields are words of ours: a person may have one of them as a name.
            return {self._of_any(key): self._field(key, item) for key, item in value.items()}
        return value

    def _field(self, key: str, item: Any) -> Any:
        mark = ""
        if isinstance(item, str):
            if key == "by" and item and item == self._user:
                mark = "<user>"
            elif len(item) >= _SHORTEST_SECRET and _NAME_OF_SECRET.fullmatch(key):
                mark = "<secret>"
        if mark:
            self.found[mark] += 1
            return mark
        return self.value(item)

    def _replaced(
        self,
        shape: re.Pattern[str],
        mark: str,
        text: str,
        made: Callable[[re.Match[str]], str] | None = None,
    ) -> str:
        text, number = shape.subn(made or (lambda match: mark), text)
        self.found[mark] += number
        return text
