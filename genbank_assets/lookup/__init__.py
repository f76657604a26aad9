"""Finding a record by its name, and its text or residues: for trace, fetch and extract."""
