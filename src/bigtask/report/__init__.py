"""What a run came to, as one document: `result.py` makes the value, and each form has a renderer.

Run ── result_of ──> RunResult ──┬── markdown ──> for people, on a code host
                                 ├── as_json ───> for programs; schema.json describes it
                                 └── junit ─────> for CI servers
"""
