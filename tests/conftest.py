"""What holds for every test that draws its values: a busy machine is no failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("bigtask", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bigtask")
