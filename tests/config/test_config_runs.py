"""Configuration in the product: what a run gets, and what a person is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bigtask import Options, OrchestratorModule, WorkerConfig
from bigtask.agents.protocol import Traits
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.agents.table import AgentTable
from bigtask.configuration.keys import KEYS
from bigtask.configuration.layers import Rank, of_file
from bigtask.core.values import Settings
from bigtask.errors import Forbidden, InvalidInput, NotFound
from bigtask.host.access import read_run
from bigtask.host.creation import create, settings_of
from bigtask.host.home import Home
from bigtask.templates.manager import TemplateManager
from bigtask.templates.template import thaw
from cli.here import here
from cli.person import PLAN_AND_WORK, Said
from cli.terminal import Program
from projects import Desk, Project, repository

pytestmark = pytest.mark.integration

TASKS = {"tasks": [{"id": "one"}]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return repository(tmp_path / "project")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(Home(tmp_path / "home"))
    desk.template(config={"maxRetries": 4}, phases=PLAN_AND_WORK)
    return desk


@pytest.fixture
def program(project: Project, desk: Desk) -> Program:
    return Program(project, desk)


def brings(project: Project, text: str) -> Path:
    path = project.root / ".bigtask" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def has(desk: Desk, text: str) -> dict[str, str]:
    """What leads to a person's file with this text."""
    path = desk.home.path / "config.toml"
    path.write_text(text)
    return {"BIGTASK_CONFIG": str(path)}


async def settings(
    desk: Desk, project: Project, environ: Mapping[str, str], cwd: Path | None = None, **options: Any
) -> Settings:
    """Those of a run that is made."""
    folder = await create(
        desk.home,
        template_id="tested",
        cwd=cwd or project.root,
        request="Do the work",
        agents=AgentTable(),
        templates=TemplateManager(user_dir=desk.home.templates),
        options=Options(**{"agent": desk.script(TASKS), **options}),
        environ=environ,
    )
    return (await read_run(folder)).settings


async def test_each_place_says_its_part_of_a_run_s_settings(
    desk: Desk, project: Project, program: Program
) -> None:
    brings(project, 'maxWorkers = 4\nmodel = "theirs"\neffort = "theirs"\nmaxRetries = 3\n')
    environ = {
        **has(desk, 'maxWorkers = 6\nmodel = "mine"\nmaxBudgetUsd = 7\nmaxTokens = 100\nspawnDelay = 9\n'),
        "BIGTASK_MAX_TOKENS": "50",
        "BIGTASK_WORKER_TIMEOUT": "20000",
    }
    assert program.apart("approve", "--yes").status == 0
    below = project.root / "deep" / "below"
    below.mkdir(parents=True)
    made = await settings(desk, project, environ, cwd=below, worker_timeout_ms=30_000)
    assert made.worker_timeout_ms == 30_000  # the run's own options
    assert made.max_tokens == 50  # the environment
    assert made.max_retries == 3  # the repository tightens the template
    assert made.spawn_delay_ms == 0  # the template
    assert (made.max_workers, made.model, made.effort) == (4, "theirs", "theirs")  # the repository
    assert made.max_budget_usd == 7  # the person's file
    assert made.permission_mode == "ask"  # nobody


async def test_a_repository_that_nobody_has_approved_is_refused_and_nothing_is_made(
    desk: Desk, project: Project
) -> None:
    brings(project, "maxWorkers = 1")
    with pytest.raises(Forbidden, match=r"config\.toml sets maxWorkers .* `bigtask approve`"):
        await settings(desk, project, {})
    assert list(desk.home.folders()) == []


@pytest.mark.parametrize(
    ("environ", "text", "said"),
    [
        ({"BIGTASK_MAX_WORKERS": "0"}, "", "BIGTASK_MAX_WORKERS must be a whole number from 1 to 64"),
        ({}, "maxTokens = 0", "config.toml:1: maxTokens must be a whole number above 0, not 0"),
        ({}, 'permissionMode = "all"', "permissionMode all, from .*config.toml:1, lets agents do anything"),
        ({"BIGTASK_PERMISSION_MODE": "all"}, "", "from BIGTASK_PERMISSION_MODE, lets agents do anything"),
    ],
)
async def test_what_can_t_be_used_is_refused_with_its_place(
    desk: Desk, project: Project, environ: dict[str, str], text: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        await settings(desk, project, {**has(desk, text), **environ})
    assert list(desk.home.folders()) == []


async def test_a_base_that_nothing_can_start_from_is_refused_before_there_is_a_run(
    desk: Desk, project: Project, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="nosuch is no commit of this repository: choose a branch"):
        await settings(desk, project, {}, base="nosuch")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput, match="only a git repository has a base"):
        await settings(desk, project, {}, cwd=tmp_path / "folder", base="main")
    assert list(desk.home.folders()) == []
    assert (await settings(desk, project, {}, base="HEAD")).base == "HEAD"


async def test_no_questions_needs_a_word_at_the_start(desk: Desk, project: Project) -> None:
    desk.template(config={"permissionMode": "all"})
    with pytest.raises(InvalidInput, match="the template tested, lets agents do anything"):
        await settings(desk, project, {})
    assert (await settings(desk, project, {}, permission_mode="all")).permission_mode == "all"
    assert (await settings(desk, project, {"BIGTASK_PERMISSION_MODE": "ask"})).permission_mode == "ask"


async def test_an_agent_that_isn_t_there_is_told_with_who_named_it(desk: Desk, project: Project) -> None:
    with pytest.raises(NotFound, match=r"no agent 'nobody'.*\(it is named by BIGTASK_AGENT\)"):
        await settings(desk, project, {"BIGTASK_AGENT": "nobody"}, agent=None)
    with pytest.raises(NotFound, match=r"FILE$"):
        await settings(desk, project, {"BIGTASK_AGENT": "offline"}, agent="nobody")


class Costly(ScriptedAgent):
    traits = Traits(costs_money=True)


def test_a_cap_in_the_configuration_is_a_cap_for_yes(desk: Desk) -> None:

    agents = AgentTable({"costly": Costly(script_of(TASKS), name="costly")})
    template = thaw(TemplateManager().get("_default").raw)
    options = Options(agent="costly", yes=True)
    with pytest.raises(InvalidInput, match="needs a cap"):
        settings_of(template, options, agents)
    mine = of_file("maxBudgetUsd = 5", rank=Rank.USER, name="config.toml")
    assert settings_of(template, options, agents, [mine]).max_budget_usd == 5


async def test_the_module_s_own_settings_stand_above_the_environment(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "MAX_WORKERS": "9",
        "MAX_RETRIES": "9",
        "SPAWN_DELAY": "9",
        "CONFIG": "/dev/null",
    }.items():
        monkeypatch.setenv(f"BIGTASK_{name}", value)
    module = OrchestratorModule(
        ScriptedAgent(script_of(TASKS)),
        worker=WorkerConfig(max_workers=2, retry_limit=1),
        home=tmp_path / "home",
    )
    async with module:
        run = await module.orchestrators.create(
            template_id="_default", cwd=project.root, message="x", options=Options(max_workers=3)
        )
        made = (await module.run(run.id)).settings
    assert (made.max_workers, made.max_retries, made.spawn_delay_ms) == (3, 1, 9)


# At the command line


def doctor(program: Program, *more: str) -> tuple[Said, dict[str, dict[str, Any]]]:
    said = program("doctor", "--json", *more)
    return said, {one["key"]: one for one in said.json["settings"]}


def test_doctor_says_what_is_in_force_and_where_it_comes_from(
    program: Program, project: Project, desk: Desk
) -> None:
    brings(project, '\nmaxRetries = 1\nmaxWorkers = 50\nmaxWorker = 1\nmodel = "small"\n')
    said, found = doctor(program)
    assert found["model"]["value"] is None, "what isn't approved isn't in force"
    (refused,) = [one for one in said.json["findings"] if one["next"] == "bigtask approve"]
    assert refused["level"] == "warn"
    assert program("approve", "--yes").status == 0
    said, found = doctor(program, "--template", "tested")
    assert (said.status, len(found)) == (0, len(KEYS))
    assert found["maxRetries"] == {
        "key": "maxRetries",
        "value": 1,
        "origin": {"layer": "repository", "place": ".bigtask/config.toml:2"},
        "note": "tightens 4, from the template tested",
    }
    assert found["spawnDelay"]["origin"] == {"layer": "template", "place": "tested"}
    assert found["maxWorkers"]["origin"] == {"layer": "default", "place": ""}
    typo, loosening = [one["text"] for one in said.json["findings"] if one["level"] == "warn"]
    assert typo == ".bigtask/config.toml:4: maxWorker isn't a setting: did you mean maxWorkers?"
    assert loosening.startswith(".bigtask/config.toml:3: maxWorkers 50 would loosen 5, from the default: ")
    page = program("doctor", "--template", "tested").out
    (row,) = [line.split() for line in page.splitlines() if line.startswith("maxRetries ")]
    assert " ".join(row) == "maxRetries 1 .bigtask/config.toml:2 (tightens 4, from the template tested)"


def test_doctor_goes_on_where_nothing_can_be_used(program: Program, project: Project, desk: Desk) -> None:
    brings(project, "maxWorkers = ")
    desk.home.approvals.write_text("{")
    environ = {**has(desk, "maxTokens = 0"), "BIGTASK_MAX_WORKERS": "0", "BIGTASK_AGENT": "nobody"}
    env = {**program.env, "HOME": str(project.root), **environ}
    said = here(env, "doctor", "--json", cwd=project.root)
    bad = [one["area"] for one in said.json["findings"] if one["level"] == "problem"]
    assert said.status == 1
    assert bad == ["configuration", "configuration", "configuration", "BIGTASK_MAX_WORKERS"]
    assert len(said.json["settings"]) == len(KEYS)


def test_doctor_says_when_nobody_knows_what_is_approved(
    program: Program, project: Project, desk: Desk
) -> None:
    brings(project, "maxWorkers = 1")
    desk.home.approvals.write_text("{")
    said, found = doctor(program)
    (problem,) = [one for one in said.json["findings"] if one["level"] == "problem"]
    assert problem["area"] == "approvals"
    assert problem["next"] == "mend that file, or remove it and approve again what you use"
    assert found["maxWorkers"]["value"] == 5


def test_a_template_that_isn_t_there_is_told(program: Program) -> None:
    said = program("doctor", "--template", "nothere")
    assert said.status == 2
    assert "nothere" in said.err


def test_approving_shows_everything_holds_for_this_content_and_can_be_taken_back(
    program: Program, project: Project
) -> None:
    path = brings(project, 'model = "small"\nallowedCommands = [["make", "test"]]\n')
    said = program("approve", "--json")
    assert (said.status, said.json["state"]) == (3, "unapproved")
    said = program("approve", "--yes")
    assert said.status == 0
    assert 'model = "small"' in said.err
    assert 'allowedCommands = [["make", "test"]]' in said.err
    assert program("approve", "--json").json == {
        "path": str(path),
        "state": "approved",
        "sets": {"model": "small", "allowedCommands": [["make", "test"]]},
    }
    assert program("approve", "--withdraw", "--json").json["state"] == "unapproved"
    path.unlink()
    assert program("approve", "--json").json["state"] == "nothing"


def test_at_a_terminal_a_run_asks_before_a_repository_s_file_counts(
    program: Program, project: Project, desk: Desk
) -> None:
    brings(project, "maxWorkers = 1")
    wanted = ["run", "tested", "Do the work", "--agent", desk.script(TASKS), "--yes", "--without-changes"]
    with program.at_terminal(*wanted) as terminal:
        terminal.until("maxWorkers = 1")
        terminal.until("[y/N]")
        terminal.type("n\r")
        terminal.until("bigtask approve")
        assert terminal.ended() == 2
    assert list(desk.home.folders()) == []
    with program.at_terminal(*wanted) as terminal:
        terminal.until("[y/N]")
        terminal.type("y\r")
        terminal.until("up to 1 worker")
        terminal.until("Complete")
        assert terminal.ended() == 0
    (folder,) = desk.home.folders()
    assert asyncio.run(read_run(folder)).settings.max_workers == 1


def test_piped_a_run_never_asks(program: Program, project: Project, desk: Desk) -> None:
    brings(project, "maxWorkers = 1")
    said = program("create", "tested", "Do the work", "--agent", desk.script(TASKS), stdin="y\n")
    assert said.status == 2
    assert "hasn't been approved as it is now" in said.err
