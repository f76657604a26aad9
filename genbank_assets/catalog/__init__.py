"""(6) Reading the mirror: which tables are the newest, as LazyFrames, records with residues, and a SQL catalog."""
