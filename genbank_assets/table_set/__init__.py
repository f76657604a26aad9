"""Stage 7: publishes tables to an object store for readers without a store, and verifies and prunes them."""
