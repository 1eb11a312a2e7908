"""The JSON API, version 1. What is added to it: a module with a router, named in `ROUTERS`."""

from web.api import batches, handoffs, packets, papers, sessions

ROUTERS = (handoffs.router, packets.router, batches.router, sessions.router, papers.router)
