"""What holds for every test: no account and no configuration of whoever runs them, no clock that fails."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

for _name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "CLAUDE"))]:
    del os.environ[_name]
# Nobody is signed in, and nobody's settings count.
os.environ["CLAUDE_CONFIG_DIR"] = os.environ["BIGTASK_CONFIG"] = os.devnull

settings.register_profile("bigtask", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bigtask")
