"""Stage 2: the flat-file format. Imports no later stage."""
