"""Stage 3: the Parquet record tables and their deduplication. Imports no later stage."""
