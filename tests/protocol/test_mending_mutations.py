"""Valid blocks written or damaged at random, with what each must mean."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from bigtask.protocol.fields import BLOCKS
from bigtask.protocol.fields import example as example_of
from bigtask.protocol.reading import read_block
from promises.scale import SEED, share

SIGNS = "ab .-é“\"'\\\n\t{}[]:,/#`$"


class Hand:
    """Makes values up and writes them in the ways of models, each of which has one meaning."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def value(self, depth: int = 3) -> Any:
        kind = self._chance.randrange(8 if depth else 6)
        if kind == 6:
            return [self.value(depth - 1) for _ in range(self._chance.randrange(4))]
        if kind == 7:
            return {self.name(): self.value(depth - 1) for _ in range(self._chance.randrange(4))}
        return [None, True, False, self._chance.randrange(-99, 99), 0.125, self.words()][kind]

    def words(self) -> str:
        return "".join(self._chance.choices(SIGNS, k=self._chance.randrange(10)))

    def name(self) -> str:
        return self._chance.choice(("a", "b_1", "$c", "dash-ed", self.words()))

    def gap(self) -> str:
        return self._chance.choice(
            ("", "", " ", "\n", "\t", "\u00a0", "// note\n", "/* note */", " # x\n", "\ufeff")
        )

    def text(self, text: str) -> str:
        plain = json.dumps(text, ensure_ascii=False)
        literal = plain.replace("\\n", "\n") if "\\\\" not in plain else plain
        single = "'" + plain[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
        return self._chance.choice((plain, json.dumps(text), literal, single))

    def key(self, key: str) -> str:
        bare = key if re.fullmatch(r"[a-z$_][a-z0-9$_-]*", key) else json.dumps(key)
        return self._chance.choice((bare, json.dumps(key)))

    def write(self, value: Any) -> str:
        if isinstance(value, dict):
            fields = [f"{self.key(name)}{self.gap()}:{self.write(item)}" for name, item in value.items()]
            return self.bracketed("{}", fields)
        if isinstance(value, list):
            return self.bracketed("[]", [self.write(item) for item in value])
        if isinstance(value, str):
            return self.gap() + self.text(value) + self.gap()
        literal = json.dumps(value)
        return f" {self._chance.choice((literal, str(value)))} "

    def bracketed(self, brackets: str, parts: list[str]) -> str:
        comma = self._chance.choice(("", ",")) if parts else ""
        inner = (self.gap() + ",").join(parts) + comma
        return f"{self.gap()}{brackets[0]}{self.gap()}{inner}{self.gap()}{brackets[1]}{self.gap()}"


def test_a_value_that_is_written_in_the_ways_of_models_is_read_as_that_value_or_refused() -> None:
    hand = Hand(random.Random(SEED))
    written, refused = share(10_000), 0
    for _ in range(written):
        output = hand.value()
        fields = {"task_id": "t", "status": "success", "output": output}
        text = hand.write({"phase": "completion", "nonce": "n", "data": fields})
        found = read_block(text)
        refused += not found.usable
        assert not found.usable or found.data.get("output") == output, text
    # Of texts with quotation marks at random some can't be told apart once they are written carelessly.
    assert refused < 0.1 * written


PHASES = {
    phase: {**example_of(phase), **({"output": 'say "a", then\n{b: [c]}'} if phase == "completion" else {})}
    for phase in BLOCKS
}
RENDERED = {
    phase: (
        json.dumps({"phase": phase, "nonce": "n", "data": data}, indent=2, ensure_ascii=False),
        json.dumps({"nonce": "n", "phase": phase, "data": data}),
    )
    for phase, data in PHASES.items()
}
FAR = 60
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def skeleton(text: str) -> tuple[list[int], list[int]]:
    """Where the quotation marks around texts are, and where brackets, commas, colons and line breaks."""
    texts = [found.span() for found in STRING.finditer(text)]
    marks = [at for start, end in texts for at in (start, end - 1)]
    inside = {at for start, end in texts for at in range(start, end)}
    return marks, [at for at, sign in enumerate(text) if sign in "{}[],:\n" and at not in inside]


def damages(sign: str) -> list[str]:
    """What may come instead of a sign; none of it changes what stands in a text."""
    if sign == '"':
        return ["", "'", "“", "”", "`", '\\"', '""']
    before = [other + sign for other in (sign, "]", '"', "'", " // ", ",")]
    after = [sign + other for other in ("\n", ",", "}", '"', " // ", "# ", "/*", " x", "“", "`")]
    return ["", "}", "]", ",", ":", "{", *before, *after]


def silently_wrong(text: str, phase: str) -> bool:
    found = read_block(text)
    return found.usable and bool(found.repairs) and found.data != PHASES[phase]


@pytest.mark.parametrize("phase", list(BLOCKS))
def test_a_block_that_is_damaged_at_one_place_is_read_as_what_it_was_or_refused(phase: str) -> None:
    for text in RENDERED[phase]:
        marks, signs = skeleton(text)
        for at in (*marks, *signs):
            for damage in damages(text[at]):
                damaged = text[:at] + damage + text[at + 1 :]
                assert not silently_wrong(damaged, phase), damaged


def test_a_block_that_is_damaged_at_two_places_is_read_as_what_it_was_or_refused() -> None:
    chance = random.Random(SEED)
    for _ in range(share(20_000)):
        phase = chance.choice(list(BLOCKS))
        text = chance.choice(RENDERED[phase])
        first, second = sorted(chance.sample([place for places in skeleton(text) for place in places], 2))
        # Beside each other two damages can make a good text of another meaning.
        if second - first < FAR:
            continue
        for at in (second, first):
            text = text[:at] + chance.choice(damages(text[at])) + text[at + 1 :]
        assert not silently_wrong(text, phase), text


@pytest.mark.parametrize("phase", list(BLOCKS))
def test_a_block_without_its_end_is_refused_wherever_it_was_cut(phase: str) -> None:
    for text in RENDERED[phase]:
        for end in range(len(text)):
            assert not read_block(text[:end], ended=False).usable, text[:end]
