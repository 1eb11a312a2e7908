"""The lifecycle as pure data and pure functions: process tables, guards, `decide`, deadline rules, diagrams."""
