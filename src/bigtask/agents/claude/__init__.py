"""The `claude` agent: Claude Code, as `claude-agent-sdk` ships it.

Of its modules `session`, `talk`, `tools`, `transport` and `messages` import that package; only a session may
import those.
"""
