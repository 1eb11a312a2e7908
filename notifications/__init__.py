"""What we say and how it leaves: catalogue, words, templates, rendering, gateways. Plain data in, plain data out."""
