-- Dagster's own storage beside the database with the records.
CREATE DATABASE dagster;
