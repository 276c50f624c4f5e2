"""The quick yes of a shape against its careful reading."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from bigtask.protocol.fields import BLOCKS, example
from bigtask.protocol.shapes import Findings, Listing, OneField, Record, Shape
from promises.scale import SEED

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    3.0,
    0.5,
    -1,
    11,
    101,
    "",
    " ",
    "x",
    "working",
    "low",
    "success",
    "failed",
    "error",
    [],
    ["x"],
    [1],
    [""],
    [None],
    {},
    {"x": 1},
    {"command": ["x"]},
    {"command": []},
    {"claim": "x"},
    {"claim": "x", "y": 1},
    {"command": ["x"], "claim": "x"},
    [{"claim": "x"}],
    [{"id": "a", "title": "A", "description": "Do a.", "checks": [{"claim": " "}]}],
    [{"description": "x"}],
    [{"severity": "info", "description": "x", "location": None}],
)


def agrees(shape: Shape, value: Any) -> bool:
    findings = Findings()
    read = shape.read(value, "field", findings)
    untouched = not findings.errors and not findings.warnings and repr(read) == repr(value)
    return shape.fits(value) is untouched


def shapes_in(shape: Shape) -> Iterator[Shape]:
    """The shape and those of what it holds."""
    yield shape
    if isinstance(shape, Listing):
        yield from shapes_in(shape.of)
    elif isinstance(shape, Record):
        for field in shape.fields.values():
            yield from shapes_in(field.shape)
    elif isinstance(shape, OneField):
        for inner in shape.fields.values():
            yield from shapes_in(inner)


@pytest.mark.parametrize("phase", list(BLOCKS))
def test_what_fits_is_what_is_read_without_a_finding(phase: str) -> None:
    block = BLOCKS[phase]
    assert agrees(block, example(phase))
    assert block.fits(example(phase))
    for shape in shapes_in(block):
        for odd in ODD:
            assert agrees(shape, odd), (shape, odd)


@pytest.mark.parametrize("phase", list(BLOCKS))
def test_whole_blocks_with_odd_fields_fit_exactly_where_nothing_is_found(phase: str) -> None:
    chance = random.Random(SEED)
    block = BLOCKS[phase]
    for _ in range(500):
        data = {name: field.example for name, field in block.fields.items() if chance.random() < 0.8}
        for name in chance.sample(list(block.fields), 2):
            if chance.random() < 0.5:
                data[name] = chance.choice(ODD)
        if chance.random() < 0.1:
            data["unknown"] = 1
        assert agrees(block, data), data
