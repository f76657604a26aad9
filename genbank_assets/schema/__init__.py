"""Column lists of all tables, with no dependency on the code that fills or reads them."""
