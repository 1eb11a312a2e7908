"""Running it: Prefect as a child process, and what calls the flows from outside."""
