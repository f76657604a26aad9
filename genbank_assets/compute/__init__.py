"""Runs tasks, in processes on this machine or on others. What a task does belongs to its stage."""
