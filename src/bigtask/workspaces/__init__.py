"""Where attempts write, and how their work comes together.

`source` looks at what the run was started in, `run_workspaces` is what a run does with it, `git` is the only
module that starts git.
"""
