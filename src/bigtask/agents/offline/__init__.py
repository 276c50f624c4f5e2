"""The `offline` agent's child program: writes the API documentation of a Python project, without a model.

`python -P -m bigtask.agents.offline` speaks the JSON lines of `bigtask.agents.wire` on stdin and stdout and
works in its working directory. It reads `phase`, `variables` and `nonce` of a prompt, never the prose.

Modules, from what is read to what is said:

    order         the variables of a prompt, checked
    project       which files are importable, and under which names
    definitions   what a module defines (standard `ast`; nothing is imported or run)
    names         which page and anchor a name leads to
    docstrings    the sections of a docstring (`griffe`: google, numpy, sphinx)
    inline, prose docstring text as Markdown that neither breaks the page nor loses what was written
    page          one module's page
    overview      index, coverage and list of objects
    split         the plan
    check         links, anchors and completeness of the finished pages
    phases        the five phases as generators of session events
    conversation  stdin, stdout, interrupts
"""
