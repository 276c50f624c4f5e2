"""What agents may do without a question: rules by tool and pattern, and what an answer covers.

A rule is `TOOL(PATTERN)`, or `TOOL` for everything that the tool does. TOOL is the agent's own name for it,
PATTERN what it would do with it: a command, a path below the workspace (others are absolute), an address.
`*` stands for any text and `\\` takes the sign after it as it is; the rest has to be there letter by letter,
from the beginning to the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from bigtask.core.values import Permissions, Waiting

ALLOW, DENY, ASK = "allow", "deny", "ask"
ONCE, TASK, RUN, REPOSITORY = "once", "task", "run", "repository"
SCOPES = (ONCE, TASK, RUN, REPOSITORY)
"""How long an answer holds: for this question, for the task in all its attempts, for the run, and for every
run in the same repository on this machine."""
BY_RULE = "rule"
"""Who has answered, where a rule did."""
LONGEST = 2_000
"""Characters. What is longer can't be shown as a whole, so that an answer to it holds once."""
_TAKEN_OUT = "[redacted: "
"""What stands in a secret's place: two that differ in it would look the same."""

_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,199}\Z")
_SPECIAL, _ESCAPED = re.compile(r"([*\\])"), r"\\\1"
_SIGN = re.compile(r"\\.|.", re.DOTALL)
_RULE = re.compile(r"([^(]+)(?:\((.*)\))?\Z", re.DOTALL)
_JOINS = re.compile(r"&&|\|\||[;&|\n()`{}]|\$\(")
_MORE = re.compile(r"[;&|\n`<>]|\$\(")
"""Signs by which a shell is told to do something else as well."""
SHELLS = frozenset({"Bash"})
"""Tools that do what a command line says."""


class NoRule(ValueError):
    """A sentence about what is no rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is None where everything that the tool does is meant."""

    tool: str
    pattern: str | None = None


def parse(text: str) -> Rule:
    """Raises NoRule."""
    found = _RULE.match(text)
    if found is None or not _TOOL.match(found[1]) or found[2] == "":
        raise NoRule('must be TOOL or TOOL(PATTERN), like "Bash(make test)" or "Write(docs/*)"')
    return Rule(found[1], found[2])


def exactly(tool: str, subject: str) -> str:
    """The rule that covers this and nothing else."""
    return f"{tool}({_SPECIAL.sub(_ESCAPED, subject)})"


def decided(rules: Permissions, tool: str, subject: str) -> tuple[str, str] | None:
    """What the rules say, with the rule that says it, as `("deny", "Bash(git push*)")`. `deny` stands above
    `ask`, and that above `allow`."""
    for answer, texts in ((DENY, rules.deny), (ASK, rules.ask), (ALLOW, rules.allow)):
        for text in texts:
            if covers(text, tool, subject, loosely=answer != ALLOW):
                return answer, text
    return None


def covers(text: str, tool: str, subject: str, *, loosely: bool = False) -> bool:
    """Whether the rule is about this. `loosely`, as for what is to be kept from happening: of a command line
    also where one of its commands alone would be meant. Otherwise a `*` never stands for a further command,
    nor for a path that leads out of where the pattern is.
    """
    rule = parse(text)
    if rule.tool != tool:
        return False
    if rule.pattern is None:
        return True
    if loosely:
        parts = [part.strip() for part in _JOINS.split(subject)] if tool in SHELLS else []
        return any(_expression(rule.pattern).fullmatch(part) for part in (subject, *parts))
    found = _expression(rule.pattern).fullmatch(subject)
    if found is None:
        return False
    more = _MORE if tool in SHELLS else _OUT
    return not any(more.search(starred) for starred in found.groups())


_OUT = re.compile(r"(?:^|/)\.\.(?:/|$)")


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = _SIGN.findall(pattern)
    made = ("(.*)" if part == "*" else re.escape(part[-1]) for part in parts)
    return re.compile("".join(made), re.DOTALL)


def scopes(tool: str, subject: str, *, guarded: bool) -> tuple[str, ...]:
    """How long an answer to this may hold. `guarded`: it is about what the trust gate keeps, of which nothing
    is allowed beyond the run."""
    if len(subject) > LONGEST or _TAKEN_OUT in subject:
        return (ONCE,)
    return SCOPES[:-1] if guarded or not tool else SCOPES


def covered(waiting: Waiting) -> str:
    """What an answer is about that holds longer than once: a rule, or the words of a question."""
    return str(waiting.details.get("covers", waiting.question))


def scopes_of(waiting: Waiting) -> tuple[str, ...]:
    """The scopes that an answer to it may have."""
    if waiting.request_id is None:
        return (ONCE,)
    return tuple(waiting.details.get("scopes", SCOPES[:-1]))


def tightened(in_force: Permissions, said: Permissions) -> Permissions:
    """With what somebody adds who may only forbid: what they would allow is left out."""
    return Permissions(
        allow=in_force.allow,
        ask=tuple(dict.fromkeys((*in_force.ask, *said.ask))),
        deny=tuple(dict.fromkeys((*in_force.deny, *said.deny))),
    )


def read(given: Mapping[str, object]) -> Permissions:
    """A table of `allow`, `ask` and `deny`, each a list of rules. Raises NoRule."""
    wrong = "allow, ask and deny are lists of rules, and there is nothing else"
    found: dict[str, tuple[str, ...]] = {}
    for name, texts in given.items():
        if name not in (ALLOW, ASK, DENY) or not isinstance(texts, list | tuple):
            raise NoRule(wrong)
        for text in texts:
            if not isinstance(text, str) or not text.isprintable():
                raise NoRule(wrong)
            try:
                parse(text)
            except NoRule as problem:
                raise NoRule(f"{text[:60]!r} in {name} {problem}") from None
        found[name] = tuple(texts)
    return Permissions(**found)
