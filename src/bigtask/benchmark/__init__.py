"""Measuring bigtask beside a bare asyncio floor and other systems: what `bigtask bench` does.

The programs that are measured are the runners in `bench/`; here they are started one after the other, and
what they print is made into medians, goals and tables.
"""
