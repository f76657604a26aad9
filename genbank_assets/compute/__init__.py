"""Where tasks run: the local process pool."""
