"""The rules of a run, without clock, disk, network or randomness.

`evolve` folds events into a `Run`; `decide` says what the rules demand next; `outcomes` turns what the
world reports, and `commands` what a person asks, into events. Hosts (bigtask.host) record the events,
then act on them. Nothing here imports anything outside this folder but `bigtask.errors`.
"""
