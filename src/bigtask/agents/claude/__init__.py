"""The `claude` agent: Claude Code, as `claude-agent-sdk` ships it.

Only `agent`, `account` and `installation` may be imported without that package: the others import it.
"""
