"""Builds engine, gateways and clocks from the settings; knows nothing of what stands above it."""
