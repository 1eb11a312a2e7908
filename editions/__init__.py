"""Edition files and their samples: package data, no code."""
