"""A whole edition with a simulated calendar and scripted people, who act through `actions` and in no other way."""
