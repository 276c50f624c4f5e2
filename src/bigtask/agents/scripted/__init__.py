"""The agent without a model that plays a script: for tests, simulations and demonstrations."""
