"""The governor of a home: what its settings and this machine allow."""

from __future__ import annotations

from collections.abc import Mapping

from bigtask.configuration.files import user_layer
from bigtask.configuration.layers import of_environment
from bigtask.configuration.resolution import resolve
from bigtask.core.slots import Room
from bigtask.host import machine
from bigtask.host.governor import Governor
from bigtask.host.home import Home
from bigtask.host.shared_slots import SharedSlots, clock_ms

_PER_CORE = 4
"""Sessions for each core where nobody says how many: most of the time they wait for their model."""


def governor_of(home: Home, environ: Mapping[str, str]) -> Governor:
    """The governor that the environment and the person's file ask for. Errors in these settings were told
    when the run was made: here every setting that can be used counts."""
    settings = resolve((of_environment(environ), user_layer(environ)))
    most, of_agent = settings["machineSlots"].value, settings["agentSlots"].value
    of_each = settings["slotsFor"].value
    cores = machine.cores()

    def room(agent: str) -> Room:
        return Room(
            cores=cores,
            free_mib=machine.free_mib(),
            most=most or _PER_CORE * cores,
            most_of_agent=of_each.get(agent, of_agent),
        )

    return Governor(SharedSlots(home.slots), room=room, clock=clock_ms)
