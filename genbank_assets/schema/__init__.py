"""The lists of columns: below everything that has columns, and knowing none of it."""
