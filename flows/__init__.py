"""Prefect, thin: each flow wraps a job and shows an operator what it did, by reference, never with personal data."""
