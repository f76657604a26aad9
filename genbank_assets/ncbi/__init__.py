"""Stage 1: what NCBI publishes and how it gets here. Imports no later stage."""
