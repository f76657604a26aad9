"""Stage 5: the content-addressed object set."""
