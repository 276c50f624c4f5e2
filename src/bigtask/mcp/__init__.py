"""Runs for agents, over the Model Context Protocol. Needs the extra `bigtask[mcp]`."""
