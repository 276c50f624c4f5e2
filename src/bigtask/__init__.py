"""Split one big request into a graph of tasks for several agents, merge and check the result."""
