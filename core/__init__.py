"""The leaf every other package may import: settings, the two clocks, ids, errors, the working-day calendar, logging."""
