"""Stage 4: the database. Residues stay out of it."""
