from __future__ import annotations

from pathlib import Path

import pytest

from bigtask.host.home import Home
from projects import Desk, Project, repository

from .person import PLAN_AND_WORK, Person
from .terminal import Program


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return repository(tmp_path / "project")


@pytest.fixture
def program(project: Project, tmp_path: Path) -> Program:
    """The command line in that project; its runs plan and work, and have no other phases."""
    desk = Desk(Home(tmp_path / "home"))
    desk.template(config={}, phases=PLAN_AND_WORK)
    return Program(project, desk)
