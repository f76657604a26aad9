"""Stage 5: the content-addressed object set, and reading from it."""
