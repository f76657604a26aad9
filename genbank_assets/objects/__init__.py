"""Stage 5: publishes distinct sequences to a content-addressed object set, and reads from it."""
