"""Agents of the Agent Client Protocol, each a program that speaks JSON-RPC on its standard streams."""
