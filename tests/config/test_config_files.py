"""Where configuration is found, and what a repository can't do with its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bigtask.approvals import Approvals, Kind
from bigtask.configuration.files import MAX_BYTES, Configuration, ConfigurationNotApproved, read, user_path
from bigtask.configuration.layers import Rank
from bigtask.errors import InvalidInput


def repository_file(root: Path, text: str) -> Path:
    path = root / ".bigtask" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def problems(configuration: Configuration) -> list[str]:
    return [problem for layer in configuration.layers for problem in layer.problems]


def test_where_there_is_nothing_nothing_is_said(tmp_path):
    found = read(tmp_path, {"BIGTASK_CONFIG": os.devnull})
    assert [layer.said for layer in found.layers] == [{}, {}, {}]
    assert problems(found) == []
    found.require_usable(Approvals(tmp_path / "approvals.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_person_s_file_is_where_the_variable_says_else_in_the_configuration_directory(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    usual = user_path({})
    assert usual.is_relative_to(tmp_path)
    assert usual.parts[-2:] == ("bigtask", "config.toml")
    usual.parent.mkdir(parents=True)
    usual.write_text("maxWorkers = 2")
    assert read(tmp_path, {}).user.said["maxWorkers"].value == 2
    (tmp_path / "other.toml").write_text("maxWorkers = 3")
    named = read(tmp_path, {"BIGTASK_CONFIG": str(tmp_path / "other.toml")})
    assert named.user.said["maxWorkers"].value == 3
    assert str(named.user.said["maxWorkers"].origin) == f"{tmp_path}/other.toml:1"


def test_without_an_environment_neither_it_nor_a_person_s_file_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BIGTASK_MAX_WORKERS", "2")
    monkeypatch.setenv("BIGTASK_CONFIG", str(tmp_path / "c.toml"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    for path in (tmp_path / "c.toml", user_path({})):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("maxRetries = 3")
    repository_file(tmp_path, "model = 'small'")
    found = read(tmp_path, None)
    assert [list(layer.said) for layer in found.layers] == [[], ["model"], []]


def test_a_file_that_is_named_and_isn_t_there_is_a_problem(tmp_path):
    (problem,) = problems(read(tmp_path, {"BIGTASK_CONFIG": str(tmp_path / "none.toml")}))
    assert problem == (
        f"BIGTASK_CONFIG names {tmp_path}/none.toml, which doesn't exist: create it, or unset BIGTASK_CONFIG"
    )


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbfmaxWorkers = 3\r\n")
    found = read(tmp_path, {"BIGTASK_CONFIG": str(tmp_path / "c.toml")})
    assert found.user.said["maxWorkers"].value == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# \xff", "isn't UTF-8 at byte 2"),
        (b"#" * (MAX_BYTES + 1), "larger than 64 KiB"),
        (b"maxWorkers = ", "this isn't TOML"),
        (b"\0", "this isn't TOML"),
    ],
)
def test_what_can_t_be_read_is_a_problem_in_either_file(tmp_path, content, said):
    repository_file(tmp_path, "").write_bytes(content)
    (tmp_path / "c.toml").write_bytes(content)
    mine, theirs = problems(read(tmp_path, {"BIGTASK_CONFIG": str(tmp_path / "c.toml")}))
    assert said in mine
    assert said in theirs
    with pytest.raises(InvalidInput, match="these settings can't be used"):
        read(tmp_path, None).require_usable(Approvals(tmp_path / "approvals.json"))


@pytest.mark.timeout(20)
def test_what_isn_t_a_file_is_a_problem_and_nobody_waits_for_it(tmp_path):
    (tmp_path / ".bigtask").mkdir()
    path = tmp_path / ".bigtask" / "config.toml"
    os.mkfifo(path)
    assert "isn't a file" in problems(read(tmp_path, None))[0]
    path.unlink()
    path.mkdir()
    assert (
        "can't be read" in problems(read(tmp_path, None))[0]
        or "isn't a file" in problems(read(tmp_path, None))[0]
    )


@pytest.mark.parametrize("link", ["file", "folder", "loop"])
def test_a_repository_s_file_can_t_be_a_link_out_of_it(tmp_path, link):
    outside, root = tmp_path / "outside", tmp_path / "repository"
    outside.mkdir()
    root.mkdir()
    (outside / "config.toml").write_text("model = 'secret'")
    if link == "folder":
        (root / ".bigtask").symlink_to(outside)
    else:
        (root / ".bigtask").mkdir()
        target = outside / "config.toml" if link == "file" else root / ".bigtask" / "config.toml"
        (root / ".bigtask" / "config.toml").symlink_to(target)
    found = read(root, None)
    assert found.repository.said == {}
    (problem,) = problems(found)
    assert "secret" not in problem
    assert "link" in problem


def test_a_link_within_the_repository_is_followed(tmp_path):
    (tmp_path / "shared.toml").write_text("model = 'small'")
    (tmp_path / ".bigtask").mkdir()
    (tmp_path / ".bigtask" / "config.toml").symlink_to(Path("..") / "shared.toml")
    assert read(tmp_path, None).repository.said["model"].value == "small"


# Approval


def test_a_repository_s_file_counts_after_a_person_s_word_and_only_as_it_was(tmp_path):
    approvals = Approvals(tmp_path / "home" / "approvals.json")
    path = repository_file(tmp_path / "repository", "model = 'small'\n")
    root = tmp_path / "repository"
    with pytest.raises(ConfigurationNotApproved, match="bigtask approve") as caught:
        read(root, None).require_usable(approvals)
    refused = caught.value
    assert (refused.path, refused.layer.rank, list(refused.layer.said)) == (path, Rank.REPOSITORY, ["model"])
    approvals.approve(Kind.CONFIG, refused.path, refused.digest)
    read(root, None).require_usable(approvals)
    path.write_text("model = 'small' \n")
    with pytest.raises(ConfigurationNotApproved):
        read(root, None).require_usable(approvals)
    path.write_text("model = 'small'\n")
    read(root, None).require_usable(approvals)


def test_an_approval_is_for_one_place(tmp_path):
    approvals = Approvals(tmp_path / "home" / "approvals.json")
    for name in ("one", "two"):
        repository_file(tmp_path / name, "model = 'small'\n")
    unapproved = read(tmp_path / "one", None).unapproved(approvals)
    assert unapproved is not None
    approvals.approve(Kind.CONFIG, unapproved.path, unapproved.digest)
    assert read(tmp_path / "one", None).unapproved(approvals) is None
    assert read(tmp_path / "two", None).unapproved(approvals) is not None


def test_a_file_that_sets_nothing_needs_no_approval(tmp_path):
    repository_file(tmp_path, "# maxWorkers = 3\nmaxworkerz = 3\nisolation = 'none'\n")
    found = read(tmp_path, None)
    assert len(found.repository.warnings) == 2
    assert found.unapproved(Approvals(tmp_path / "approvals.json")) is None


def test_approvals_that_can_t_be_read_approve_nothing(tmp_path):
    (tmp_path / "approvals.json").write_text("{")
    repository_file(tmp_path, "model = 'small'")
    with pytest.raises(InvalidInput, match="can't be read"):
        read(tmp_path, None).require_usable(Approvals(tmp_path / "approvals.json"))
