"""One module a phase: what it starts (`proceed`), how it reads the answer (`read`), what comes next.

`proceed(run, …)` returns the events to record now; an empty tuple when the run waits for something, and
None when the step is behind us. `read(run, report)` returns what an accepted answer of the phase's
reserved task means. The order of the steps is in `bigtask.core.decide`.
"""
