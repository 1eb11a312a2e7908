"""The command line, the outermost layer: reads what is typed, opens the database, calls actions and jobs, tells.

Commands import late, so that `--help` and `process` load neither SQLAlchemy nor Prefect.
"""
