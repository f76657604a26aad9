"""Where tasks run: the pool of processes on this machine. What a task does belongs to its stage."""
