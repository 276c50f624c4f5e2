"""docs/configuration.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from bigtask.configuration.keys import KEYS, OTHER_VARIABLES, Key
from bigtask.configuration.layers import Layer, Origin, Rank, Said, of_file
from bigtask.configuration.resolution import resolve

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def rows(first: str) -> list[list[str]]:
    """The cells below the header that begins with this word."""
    table = PAGE[PAGE.index(f"| {first} |") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def row(key: Key) -> list[str]:
    default = "not set" if key.default is None else f"`{msgspec.json.encode(key.default).decode()}`"
    repository = "only tighter" if key.tighter else "yes" if key.by_repository else "no"
    wanted = re.sub(r"(\[\[.*\]\])", r"`\1`", key.wanted)
    return [f"`{key.name}`", wanted, default, f"`{key.variable}`", repository]


def test_the_table_of_settings_is_the_product_s():
    assert rows("key") == [row(key) for key in KEYS.values()]


def test_every_setting_is_explained_and_every_variable_is_named():
    explained = " ".join(line for line in PAGE.splitlines() if line.startswith("- `"))
    for name in KEYS:
        assert f"`{name}`" in explained
    for name in ("BIGTASK_HOME", "BIGTASK_CONFIG"):
        assert name in OTHER_VARIABLES
        assert f"`{name}`" in PAGE


def test_the_example_can_be_used():
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)
    found = of_file(text, rank=Rank.USER, name="config.toml")
    assert len(found.said) == 6
    assert (found.problems, found.warnings) == ((), ())


@pytest.mark.parametrize("example", rows("in force without the file"))
def test_the_examples_of_a_repository_s_file_come_out_as_they_say(example):
    before, said, after = example
    name = before.split("`")[1]
    origins = {"template": Rank.TEMPLATE, "your file": Rank.USER, "--max-budget-usd": Rank.OPTIONS}
    layers = [_layer(Rank.REPOSITORY, name, _value(name, said))]
    for words, rank in origins.items():
        if words in before:
            value = before.split("` ", 1)[1].split(", from")[0]
            layers.append(_layer(rank, name, _value(name, value)))
    found = resolve(layers)
    value, _, warned = after.partition(", with a ")
    assert (found[name].value, len(found.warnings)) == (_value(name, value), bool(warned))


def _value(name: str, words: str) -> object:
    if name == "allowedCommands":
        return tuple(tuple(command.split()) for command in words.split(" and "))
    return KEYS[name].fit(int(words) if words.isdecimal() else words)


def _layer(rank: Rank, name: str, value: object) -> Layer:
    return Layer(rank=rank, said={name: Said(value=value, origin=Origin(rank=rank, place="there"))})
