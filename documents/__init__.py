"""Files in and out, from and to plain data."""
