from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.errors import InvalidInput, NotFound
from bigtask.host.home import Home, RunFolder, is_run_id, new_run_id


def with_runs(path: Path, *ids: str) -> Home:
    home = Home(path / "home")
    for id in ids:
        home.make_folder(id).log.touch()
    return home


@given(st.lists(st.tuples(st.integers(0, 2**48 - 1), st.integers(0, 2**80 - 1)), min_size=2, max_size=5))
def test_ids_sort_like_their_times(drawn):
    ids = [new_run_id(at, chance) for at, chance in drawn]
    assert all(map(is_run_id, ids))
    assert sorted(ids) == [new_run_id(at, chance) for at, chance in sorted(drawn)]


def test_an_id_is_a_lowercase_ulid():
    assert new_run_id(1_469_918_176_385, 0) == "01aryz6s41" + "0" * 16
    assert new_run_id(0) != new_run_id(0)


@pytest.mark.parametrize("name", ["", "x", "0" * 25, "0" * 27, "O" * 26, "l" * 26, "../" + "0" * 23])
def test_other_names_are_no_ids(name):
    assert not is_run_id(name)


def test_the_environment_says_where_runs_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Home.of({"BIGTASK_HOME": "/x/y"}).path == Path("/x/y")
    assert Home.of({"BIGTASK_HOME": "rel"}).path == tmp_path / "rel"
    elsewhere = Home.of({}).path
    assert elsewhere.is_absolute()
    assert elsewhere.name == "bigtask"
    assert Home.of({"BIGTASK_HOME": ""}).path == elsewhere


def test_everything_of_a_run_is_in_its_folder_and_for_its_owner_alone(tmp_path):
    home = Home(tmp_path / "deep" / "home")
    id = new_run_id(1)
    folder = home.make_folder(id)
    assert (folder.id, folder.path) == (id, home.runs / id)
    for path in (home.path, home.runs, folder.path, folder.path / "transcripts"):
        assert path.stat().st_mode & 0o777 == 0o700
    assert [folder.log.name, folder.lock.name, folder.socket.name] == ["log.db", "lock", "sock"]
    assert folder.transcripts == folder.path / "transcripts"
    assert home.templates == home.path / "templates"


def test_where_nothing_can_be_written_the_next_step_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"Not a directory\. Set BIGTASK_HOME to a folder"):
        Home(tmp_path / "file" / "home").make_folder(new_run_id(1))


def test_a_folder_is_never_made_twice(tmp_path):
    home = with_runs(tmp_path, new_run_id(1, 1))
    with pytest.raises(InvalidInput, match="File exists"):
        home.make_folder(new_run_id(1, 1))


def test_runs_are_listed_newest_first_and_only_those_with_a_log(tmp_path):
    old, new, unmade = (new_run_id(at, 0) for at in (1, 2, 3))
    home = with_runs(tmp_path, old, new)
    home.make_folder(unmade)
    (home.runs / "notes").mkdir()
    assert [folder.id for folder in home.folders()] == [new, old]
    assert list(Home(tmp_path / "none").folders()) == []


def test_a_run_is_found_by_its_id_a_piece_of_it_or_as_the_last(tmp_path):
    old, new = new_run_id(2**20, 0xABC), new_run_id(2**47, 0xDEF)
    home = with_runs(tmp_path, old, new)
    found = {given: home.find(given).id for given in (old, old.upper(), old[:5], old[-4:], "last", new[0])}
    assert found == {old: old, old.upper(): old, old[:5]: old, old[-4:]: old, "last": new, new[0]: new}
    assert isinstance(home.find("last"), RunFolder)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("../../etc", "isn't the id of a run: `bigtask list` shows them"),
        ("", "isn't the id of a run"),
        ("00000000\0", "isn't the id of a run"),
        ("ulid", "isn't the id of a run"),
        ("zzzz", "there is no run zzzz: `bigtask list` shows them"),
        ("00", "'00' fits 2 runs: give more of the id"),
    ],
)
def test_what_finds_no_run_says_what_to_do(tmp_path, given, said):
    home = with_runs(tmp_path, new_run_id(1, 1), new_run_id(2, 2))
    with pytest.raises(NotFound, match=said):
        home.find(given)


def test_before_the_first_run_there_is_no_last_one(tmp_path):
    with pytest.raises(NotFound, match="start one with `bigtask run`"):
        Home(tmp_path).find("last")


def test_runs_that_cannot_be_listed_say_where_and_what_to_do(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(InvalidInput, match=r"runs can't be read from .*: Not a directory\. Set BIGTASK_HOME"):
        Home(tmp_path).find("last")
