"""What is in force, and why: the layers laid over each other.

The highest layer that says something wins. A repository's file is the exception: whoever clones it hasn't
written it, so where a setting bounds what a run may use or do, it can only draw the bound closer. It does so
also below a template, but a person's own word, in the environment or in a run's options, stands above it.
Where a person's own file says what agents may do without asking, a template can't loosen that either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bigtask.configuration.keys import KEYS, Key, shown
from bigtask.configuration.layers import Layer, Origin, Rank, Said

_PERSONS_WORD = frozenset({Rank.OPTIONS, Rank.ENVIRONMENT})


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`note` says what a file did to it, or wanted to in vain; empty where nothing is to say."""

    value: Any
    origin: Origin
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """`settings` has every key of the table; `warnings` name what a repository's file says in vain."""

    settings: Mapping[str, Setting]
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Setting:
        return self.settings[name]

    def fields(self) -> dict[str, Any]:
        """What a run keeps, by the names that `Settings` has for them."""
        return {
            KEYS[name].field: setting.value for name, setting in self.settings.items() if KEYS[name].of_runs
        }


def resolve(layers: Iterable[Layer]) -> Resolution:
    """`layers` in any order, at most one of a rank."""
    by_rank = {layer.rank: layer for layer in layers}
    ordered = [by_rank[rank] for rank in Rank if rank in by_rank]
    settings: dict[str, Setting] = {}
    warnings = []
    for key in KEYS.values():
        settings[key.name], warning = _resolved(key, ordered)
        if warning:
            warnings.append(warning)
    return Resolution(settings=settings, warnings=tuple(warnings))


def _resolved(key: Key, ordered: list[Layer]) -> tuple[Setting, str]:
    said = {layer.rank: layer.said[key.name] for layer in ordered if key.name in layer.said}
    repository = said.pop(Rank.REPOSITORY, None) if key.tighter is not None else None
    default = Said(value=key.default, origin=Origin(rank=Rank.DEFAULT))
    first = next(iter(said.values()), default)
    first, note = _kept(key, first, said.get(Rank.USER))
    if repository is None or first.origin.rank in _PERSONS_WORD:
        return Setting(value=first.value, origin=first.origin, note=note), ""
    assert key.tighter is not None
    in_force, wanted = first.value, repository.value
    both = key.tighter(in_force, wanted)
    warning = ""
    in_vain = key.unspoken(in_force, wanted) if key.unspoken is not None else both != wanted
    if in_vain:
        note = f"{repository.origin} can't loosen it to {shown(wanted)}"
        warning = (
            f"{repository.origin}: {key.name} {shown(wanted)} would loosen {_or_none(in_force)}, "
            f"from {first.origin}: a repository can only tighten it"
        )
    if both == in_force:
        return Setting(value=in_force, origin=first.origin, note=note), warning
    tightened = f"tightens {_or_none(in_force)}, from {first.origin}"
    return Setting(value=both, origin=repository.origin, note=tightened), warning


def _kept(key: Key, first: Said, users: Said | None) -> tuple[Said, str]:
    """What holds of a template's word and the person's own file, and what is to say of it."""
    if not key.kept or key.tighter is None or users is None or first.origin.rank is not Rank.TEMPLATE:
        return first, ""
    if key.tighter(first.value, users.value) == first.value:
        return first, ""
    return users, f"{first.origin} can't loosen it to {shown(first.value)}"


def _or_none(value: Any) -> str:
    return "none" if value is None else shown(value)
