"""The server: runs and templates over HTTP, event streams and a WebSocket. `bigtask serve` imports it."""
