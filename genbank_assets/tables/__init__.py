"""Stage 3: writes Parquet tables of records and deduplicates their sequences. Imports no later stage."""
