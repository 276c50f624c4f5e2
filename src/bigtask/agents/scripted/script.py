"""What the `scripted` agent plays, as JSON or as Python values.

The smallest useful script is a list of tasks; every phase then gets a good answer, and each worker writes
one file::

    {"tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"], "file": "docs/two.md"}]}

`tasks` are what planning answers: the fields of a task in a plan, where `title` and `description` default
to the id, and beside them `file` (what the worker writes, `{id}.txt` unless given) and `content`.

`turns` replace the good answers. Each has `when` (any of `phase`: a phase of a run, `task`: an id,
`attempt` and `turn`: numbers from 1) and `steps`. Of those that match, the one with the most conditions is
played, of equals the last. The attempt is the prompt's variable ATTEMPT, else from the `_r{n}` that
ends the session's name of the n-th attempt after the first, else 1; turns are counted in each session.

    {"tasks": [{"id": "one"}],
     "turns": [{"when": {"task": "one", "attempt": 1}, "steps": [{"do": "crash"}]}]}

A step is an object with `do`; texts may hold `{NAME}`, replaced once from the prompt's variables, by
`{NONCE}`, by `{ATTEMPT}`, by `{TURN}` and, after `listen`, by `{MESSAGE}`. Steps:

===========  =========================================================================================
`say`        `text`: a text or its pieces. `joined`: continue the message before, not a new one
`answer`     a block: `phase` (that of the turn unless given), `data` (the good answer unless given;
             `task_id` is added to a worker's), `nonce`: `right`, `wrong` or `missing`, `before` and
             `after`: text around it, `pieces`: how many it comes in, `ended`: false leaves out its end
             delimiter, `joined`
`report`     the same as a tool call would bring it, without text: `phase`, `data`
`progress`   a progress block: `status`, `percent`, `action`, `nonce`, `joined`
`tool`       a tool call without effect: `kind`, `name`, `detail`, `path`
`write`      a file below the working directory: `path`, `content`, `how`: `write`, `append`, `delete`
`delay`      `seconds`
`busy`       `seconds` in which nothing is said. A child process works all the while
`ask`        a permission: `question`, `options`, `allow` and `deny`: the steps that follow the answer
             (the first option is the one that allows). `tool`, `subject`: what it is to do with what,
             for rules
`listen`     wait for a message
`usage`      `input_tokens`, `output_tokens`, `cost_usd`: of the session so far
`limit`      `kind`, `reset_s`
`exit`       `code`: the session is lost. In a child process it exits
`crash`      the session is lost. A child process kills itself
`hang`       nothing more until interrupted or closed. `deaf`: not even then; a child must be killed
`flood`      `bytes` of nonsense on `stream`: `stdout` or `stderr`, in lines unless `lines` is false.
             Without a child process there is nowhere to put them: the step does nothing
`raw`        `text` as it is on the child's standard output, where only events belong; else nothing
`end`        the end of the turn: `reason`, `detail`. Without it a turn ends with reason `end`
===========  =========================================================================================

Beside those, a script has `process` (true: each session is a child process), `can_interrupt`, `can_resume`,
`costs_money`, `unavailable` (a sentence: the agent can't work here), `refuses` (template id to a sentence),
`start_delimiter` and `end_delimiter`. Unknown fields are errors that name themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from bigtask.agents.protocol import ToolKind
from bigtask.errors import InvalidInput
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER, check_delimiters

PhaseName = Literal["analysis", "taskPlanning", "workerExecution", "aggregation", "verification"]
NonceKind = Literal["right", "wrong", "missing"]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
FromOne = Annotated[int, msgspec.Meta(ge=1)]


class Say(msgspec.Struct, tag_field="do", tag="say", forbid_unknown_fields=True, frozen=True):
    text: str | list[str]
    joined: bool = False


class Answer(msgspec.Struct, tag_field="do", tag="answer", forbid_unknown_fields=True, frozen=True):
    phase: str | None = None
    data: dict[str, Any] | None = None
    nonce: NonceKind = "right"
    before: str = ""
    after: str = ""
    pieces: FromOne = 1
    ended: bool = True
    joined: bool = False


class Report(msgspec.Struct, tag_field="do", tag="report", forbid_unknown_fields=True, frozen=True):
    phase: str | None = None
    data: dict[str, Any] | None = None


class Progress(msgspec.Struct, tag_field="do", tag="progress", forbid_unknown_fields=True, frozen=True):
    status: str = "in_progress"
    percent: float | None = None
    action: str | None = None
    nonce: NonceKind = "right"
    joined: bool = False


class Tool(msgspec.Struct, tag_field="do", tag="tool", forbid_unknown_fields=True, frozen=True):
    kind: ToolKind
    name: str = ""
    detail: str = ""
    path: str | None = None


class Write(msgspec.Struct, tag_field="do", tag="write", forbid_unknown_fields=True, frozen=True):
    path: str
    content: str = ""
    how: Literal["write", "append", "delete"] = "write"


class Delay(msgspec.Struct, tag_field="do", tag="delay", forbid_unknown_fields=True, frozen=True):
    seconds: Seconds


class Busy(msgspec.Struct, tag_field="do", tag="busy", forbid_unknown_fields=True, frozen=True):
    seconds: Seconds


class Ask(msgspec.Struct, tag_field="do", tag="ask", forbid_unknown_fields=True, frozen=True):
    question: str
    options: Annotated[list[str], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["allow", "deny"]
    )
    tool: str = ""
    subject: str = ""
    allow: list[Step] = []
    deny: list[Step] = []


class Listen(msgspec.Struct, tag_field="do", tag="listen", forbid_unknown_fields=True, frozen=True):
    pass


class Usage(msgspec.Struct, tag_field="do", tag="usage", forbid_unknown_fields=True, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class Limit(msgspec.Struct, tag_field="do", tag="limit", forbid_unknown_fields=True, frozen=True):
    kind: str
    reset_s: Seconds | None = None


class Exit(msgspec.Struct, tag_field="do", tag="exit", forbid_unknown_fields=True, frozen=True):
    code: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1


class Crash(msgspec.Struct, tag_field="do", tag="crash", forbid_unknown_fields=True, frozen=True):
    pass


class Hang(msgspec.Struct, tag_field="do", tag="hang", forbid_unknown_fields=True, frozen=True):
    deaf: bool = False


class Flood(msgspec.Struct, tag_field="do", tag="flood", forbid_unknown_fields=True, frozen=True):
    bytes: FromOne
    stream: Literal["stdout", "stderr"] = "stdout"
    lines: bool = True


class Raw(msgspec.Struct, tag_field="do", tag="raw", forbid_unknown_fields=True, frozen=True):
    text: str


class End(msgspec.Struct, tag_field="do", tag="end", forbid_unknown_fields=True, frozen=True):
    reason: Literal["end", "interrupted", "max_tokens", "limited", "error"] = "end"
    detail: str = ""


Step = (
    Say
    | Answer
    | Report
    | Progress
    | Tool
    | Write
    | Delay
    | Busy
    | Ask
    | Listen
    | Usage
    | Limit
    | Exit
    | Crash
    | Hang
    | Flood
    | Raw
    | End
)


class When(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    phase: PhaseName | None = None
    task: str | None = None
    attempt: FromOne | None = None
    turn: FromOne | None = None


class Turn(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    steps: list[Step]
    when: When = When()


class ScriptedTask(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    title: str | None = None
    description: str | None = None
    scope: list[str] | None = None
    priority: int | None = None
    dependencies: list[str] | None = None
    estimated_tokens: int | None = None
    estimated_minutes: float | None = None
    checks: list[dict[str, Any]] | None = None
    agent: str | None = None
    model: str | None = None
    file: str | None = None
    content: str | None = None


class Script(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    tasks: list[ScriptedTask] = []
    turns: list[Turn] = []
    process: bool = False
    can_interrupt: bool = True
    can_resume: bool = True
    costs_money: bool = False
    account: str | None = None
    session_mib: Annotated[int, msgspec.Meta(ge=0)] = 0
    unavailable: str | None = None
    refuses: dict[str, str] = {}
    start_delimiter: str = START_DELIMITER
    end_delimiter: str = END_DELIMITER


def script_of(value: Mapping[str, Any]) -> Script:
    """Raises `InvalidInput` with the path of the wrong element."""
    try:
        script = msgspec.convert(value, Script)
    except msgspec.ValidationError as wrong:
        raise InvalidInput(f"the script can't be played: {wrong}") from wrong
    check_delimiters(script.start_delimiter, script.end_delimiter)
    return script


def load_script(path: Path) -> Script:
    """A script from a JSON file. Raises `InvalidInput` with the file and the path of the wrong element."""
    try:
        value = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as missing:
        raise InvalidInput(f"the script {path} can't be read: {missing.strerror}") from missing
    except msgspec.DecodeError as wrong:
        raise InvalidInput(f"the script {path} can't be played: {wrong}") from wrong
    try:
        return script_of(value)
    except InvalidInput as wrong:
        raise InvalidInput(f"{path}: {wrong.message}") from wrong
