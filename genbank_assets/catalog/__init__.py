"""Stage 6: reads the mirror as LazyFrames, as records with residues, and through a SQL catalog."""
