"""How an agent that can only talk answers: JSON blocks between two delimiters, found, checked and believed.

`parser` finds the blocks of a text, `fields` says what each phase's block holds, `belief` says which block
counts, `asking` writes what the agent is told. Everything here is pure.
"""
