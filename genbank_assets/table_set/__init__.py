"""(7) Tables in the object store: publishing them for readers who have no store, verifying and pruning them."""
