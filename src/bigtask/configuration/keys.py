"""The settings, in one table: what each takes, its default, and what a repository may do to it.

Types and bounds are those of a template's `config`, so that a setting means the same wherever it stands. The
last ones are no template's: they say what is kept on this machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bigtask.configuration import agent_definitions
from bigtask.core import permissions, unanswered
from bigtask.core.values import Permissions
from bigtask.templates.template import Config, Verification

PREFIX = "BIGTASK_"
OTHER_VARIABLES: Mapping[str, str] = {
    "BIGTASK_HOME": "where runs are kept",
    "BIGTASK_CONFIG": "your configuration",
    "BIGTASK_BENCH_DISK": "where bigtask bench writes",
    "BIGTASK_CRASH_AT": "the process ends itself there: for crash tests only",
    "BIGTASK_SERVER": "off: commands carry runs out themselves, also where a server runs",
    "BIGTASK_DEPTH": "how many runs are above the agent that this process belongs to",
    "BIGTASK_BUDGET_USD": "what is left for the attempt that this process belongs to",
    "BIGTASK_URL": "the server, for the attempt that this process belongs to",
    "BIGTASK_TOKEN": "by which that attempt reports to the server",
    "BIGTASK_PORTS": "the ports that the attempt which started this process may use",
}
"""What the environment can say besides settings."""
PERMISSIONS = ("readOnly", "ask", "acceptEdits", "all")
"""The strictest first."""

Sessions = Annotated[int, Meta(ge=1, le=10_000)]
Gib = Annotated[float, Meta(gt=0)]
Address = Annotated[str, Meta(min_length=1)]

_LARGEST = 2**53
"""The largest whole number that every reader of JSON keeps as it is."""
_SHOWN = 60
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Unfit(ValueError):
    """`must be …, not …`: what follows the name of a setting."""


Tighter = Callable[[Any, Any], Any]
"""Of what is in force and what a repository says, what holds both. It never exceeds what is in force."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """`name` as it stands in files and templates, `field` in `Settings` and `Options`.

    With `tighter`, a repository can only lower it; without `by_repository` it has no say at all.
    """

    name: str
    field: str
    type: Any
    default: Any
    tighter: Tighter | None = None
    by_repository: bool = True
    kept: bool = False
    """Whether a template can't loosen what the person's own file says."""
    of_runs: bool = True
    """Whether a run keeps it: the others govern this machine, and what is in force now counts."""
    read: Callable[[Mapping[str, object]], Any] | None = None
    """Of a setting that is a table: its value. Raises ValueError with what it `must be`."""
    unspoken: Callable[[Any, Any], bool] | None = None
    """Whether a repository says something in vain to what is in force; by default where it isn't taken over
    as it is."""

    @property
    def variable(self) -> str:
        """`BIGTASK_MAX_WORKERS` for `maxWorkers`."""
        return PREFIX + re.sub(r"(?=[A-Z])", "_", self.name).upper()

    def fit(self, value: object) -> Any:
        """The value as `Settings` has it. Raises Unfit."""
        if self.read is not None:
            return self._table(value)
        try:
            found = msgspec.convert(value, self.type)
        except (msgspec.ValidationError, OverflowError):
            raise Unfit(f"must be {self.wanted}, not {shown(value)}") from None
        if isinstance(found, int | float) and abs(found) > _LARGEST:
            raise Unfit(f"must be {self.wanted} that isn't larger than 2^53, not {shown(value)}")
        if isinstance(found, str) and (not found.isprintable() or found.strip() != found or found[0] == "-"):
            # A program that gets the text as an argument would take `-…` for an option of its own.
            raise Unfit(f"must be one line of text that doesn't begin with -, not {shown(value)}")
        return found

    def _table(self, value: object) -> Any:
        assert self.read is not None
        if not isinstance(value, Mapping):
            raise Unfit(f"must be {self.wanted}, not {shown(value)}")
        try:
            return self.read(value)
        except ValueError as wrong:
            raise Unfit(f"must be {self.wanted} ({wrong})") from None

    def parse(self, text: str) -> Any:
        """The value from a variable of the environment. Raises Unfit."""
        wrong = Unfit(f"must be {self.wanted}, not {shown(text)}")
        if self.read is not None:
            try:
                return self.fit(msgspec.json.decode(text))
            except (msgspec.DecodeError, RecursionError):
                raise wrong from None
        match _kind(self.type):
            case "bool":
                if text.lower() not in _TRUE | _FALSE:
                    raise wrong
                return text.lower() in _TRUE
            case "int" | "float" as kind:
                if not re.fullmatch(r"[0-9]{1,20}" + (r"(\.[0-9]{1,20})?" if kind == "float" else ""), text):
                    raise wrong
                return self.fit(int(text) if kind == "int" else float(text))
            case "list":
                try:
                    return self.fit(msgspec.json.decode(text))
                except (msgspec.DecodeError, RecursionError):
                    raise wrong from None
            case _:
                return self.fit(text)

    @property
    def wanted(self) -> str:
        """What it takes, in words: `a whole number from 1 to 64`."""
        return _TABLES.get(self.name) or _words(self.type)


def shown(value: object, *, longest: int = _SHOWN) -> str:
    """A value as a file would have it, cut to `longest` characters, which is short enough for a sentence."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = msgspec.json.encode(value.encode(errors="replace").decode()).decode()
        case Permissions():
            rules = msgspec.structs.asdict(value).items()
            said = ", ".join(f"{name} {rule}" for name, texts in rules for rule in texts)
            text = said or "none"
        case dict() if value and all(isinstance(each, str | int) for each in value.values()):
            text = ", ".join(f"{name}: {each}" for name, each in value.items())
        case dict():
            return "a table" if value else "none"
        case list() | tuple():
            parts = ", ".join(shown(part, longest=longest) for part in value[:longest])
            text = f"[{parts}]"
        case int() if abs(value) > _LARGEST:
            return "a number with too many digits"
        case _:
            text = str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _kind(type_: Any) -> str:
    from msgspec import inspect

    match _plain(type_):
        case inspect.BoolType():
            return "bool"
        case inspect.IntType():
            return "int"
        case inspect.FloatType():
            return "float"
        case inspect.VarTupleType():
            return "list"
        case _:
            return "text"


def _plain(type_: Any) -> Any:
    """Without the None that stands for not set."""
    from msgspec import inspect

    info = inspect.type_info(type_)
    if isinstance(info, inspect.UnionType):
        (info,) = (part for part in info.types if not isinstance(part, inspect.NoneType))
    return info


def _words(type_: Any) -> str:
    from msgspec import inspect

    match _plain(type_):
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType() as number:
            kind = "a whole number" if isinstance(number, inspect.IntType) else "a number"
            if number.gt is not None:
                return f"{kind} above {number.gt}"
            return f"{kind} from {number.ge} to {number.le}"
        case inspect.LiteralType(values=values):
            ordered = PERMISSIONS if set(values) == set(PERMISSIONS) else values
            return "one of " + ", ".join(str(value) for value in ordered)
        case inspect.VarTupleType():
            return 'a list of commands, each a list of words: [["make", "test"]]'
        case _:
            return "some text"


def _lower(in_force: Any, said: Any) -> Any:
    return said if in_force is None else min(in_force, said)


def _off(in_force: bool, said: bool) -> bool:
    return in_force and said


def _stricter(in_force: str, said: str) -> str:
    return min(in_force, said, key=PERMISSIONS.index)


def _adds_a_permission(in_force: Permissions, said: Permissions) -> bool:
    return bool(set(said.allow) - set(in_force.allow))


_TABLES = {
    "fallback": 'a list of agents: ["codex", "offline"]',
    "slotsFor": "a table by agent: {codex = 2}",
    "agents": 'a table of agents by name: {mine = {kind = "command", argv = ["mine"]}}',
    "permissions": 'a table of rules: {allow = ["Bash(make test)"], ask = [], deny = ["Bash(git push*)"]}',
    "unanswered": 'a table by kind: {permission = "deny after 30m"}',
}


def _slots_by_agent(said: Mapping[str, object]) -> dict[str, int]:
    try:
        return msgspec.convert(said, dict[Address, Sessions])
    except msgspec.ValidationError:
        raise ValueError("each is a whole number from 1 to 10000") from None


def _fewer(in_force: tuple[Any, ...], said: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(command for command in in_force if command in said)


_CONFIG = {field.encode_name: field for field in msgspec.structs.fields(Config)}
_VERIFICATION = {field.encode_name: field for field in msgspec.structs.fields(Verification)}

OF_TEMPLATES = frozenset(_CONFIG)
"""What a template's `config` knows, which is more than can be set elsewhere."""


def _key(
    name: str,
    *,
    tighter: Tighter | None = None,
    by_repository: bool = True,
    kept: bool = False,
    fields: dict[str, msgspec.structs.FieldInfo] = _CONFIG,
) -> Key:
    field = fields[name]
    return Key(
        name=name,
        field=field.name,
        type=field.type,
        default=field.default,
        tighter=tighter,
        by_repository=by_repository,
        kept=kept,
    )


def _of_machine(name: str, field: str, type_: Any, default: Any) -> Key:
    return Key(name=name, field=field, type=type_, default=default, by_repository=False, of_runs=False)


KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        _key("agent"),
        Key(
            name="fallback",
            field="fallback",
            type=tuple[Address, ...],
            default=(),
            # Who does the work instead is also who is paid for it.
            by_repository=False,
        ),
        _key("model"),
        _key("effort"),
        _key("maxWorkers", tighter=_lower),
        _key("parallelExecution", tighter=_off),
        _key("workerTimeout", tighter=_lower),
        _key("stallAfter", tighter=_lower),
        _key("retryOnError", tighter=_off),
        _key("maxRetries", tighter=_lower),
        _key("spawnDelay"),
        _key("autoSpawn", tighter=_off),
        # Neither value is the safer one: `none` works in the project itself, `worktree` may write.
        _key("isolation", by_repository=False),
        _key("permissionMode", tighter=_stricter, kept=True),
        _key("maxBudgetUsd", tighter=_lower),
        _key("maxTokens", tighter=_lower),
        _key("allowedCommands", tighter=_fewer, fields=_VERIFICATION),
        Key(
            name="permissions",
            field="permissions",
            type=Permissions,
            default=Permissions(),
            tighter=permissions.tightened,
            read=permissions.read,
            unspoken=_adds_a_permission,
        ),
        Key(
            name="unanswered",
            field="unanswered",
            type=dict,
            default={},
            by_repository=False,
            read=unanswered.read,
        ),
        Key(name="workspacesGib", field="workspaces_gib", type=Gib | None, default=None, tighter=_lower),
        Key(
            name="slotsFor",
            field="slots_for",
            type=dict,
            default={},
            by_repository=False,
            read=_slots_by_agent,
        ),
        _of_machine("machineSlots", "machine_slots", Sessions | None, None),
        _of_machine("agentSlots", "agent_slots", Sessions | None, None),
        _of_machine("desktopEndpoint", "desktop_endpoint", Address, "http://127.0.0.1:9222"),
        _of_machine("desktopElsewhere", "desktop_elsewhere", bool, False),
        Key(
            name="agents",
            field="agents",
            type=dict,
            default={},
            # They are programs that we start.
            by_repository=False,
            of_runs=False,
            read=agent_definitions.read,
        ),
        _of_machine("keepRuns", "keep_runs", Annotated[int, Meta(ge=0, le=100_000)], 50),
        _of_machine("keepDays", "keep_days", Annotated[int, Meta(ge=0, le=36_500)], 30),
        _of_machine("keepGib", "keep_gib", Gib, 10.0),
        _of_machine("keepTrashDays", "keep_trash_days", Annotated[int, Meta(ge=0, le=36_500)], 7),
    )
}
"""In the order in which people are shown them."""
