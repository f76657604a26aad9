"""Stage 4: loads records into PostgreSQL, without residues. Imports no later stage."""
