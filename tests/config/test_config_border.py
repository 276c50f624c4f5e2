"""What is in force is reckoned from values alone; only `files` and `standing` look at the world."""

from __future__ import annotations

from test_layers import _OF_THE_WORLD, imports_of, within

PURE = ("keys.py", "layers.py", "resolution.py")
KNOWN = ("bigtask.configuration", "bigtask.core", "bigtask.errors", "bigtask.templates")


def test_the_pure_modules_know_no_clock_disk_or_adapter():
    found = [(path, module) for path, module in imports_of("configuration") if path.endswith(PURE)]
    assert len({path for path, _ in found}) == len(PURE)
    for path, module in found:
        assert module.split(".")[0] not in _OF_THE_WORLD, f"{path}: {module}"
        assert not module.startswith("bigtask") or within(module, *KNOWN), f"{path}: {module}"
        assert not within(module, "bigtask.configuration.files", "bigtask.templates.manager"), path
