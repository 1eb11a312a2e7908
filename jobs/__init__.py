"""Plain batches that may run anywhere, any number at once, and be killed at any line: `run(workshop, at, limit)`.

Each works from what is due in its own tables, in short transactions of at most 500 items; a lost, late or doubled run
changes latency, never correctness.
"""
