"""How one kind of big task is done: JSON files that are merged, checked and frozen into a run.

`inheritance` merges, `variables` fills in, `checking` explains what is wrong, `template` is the typed
result, `prompting` makes the prompt of a phase. `library` says what many files come to, `folder` alone
reads and writes them, `consent` says what a person has to approve, and `manager` is the surface of it all.
"""
