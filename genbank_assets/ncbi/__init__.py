"""Stage 1: discovers, downloads and verifies NCBI's files. Imports no later stage."""
