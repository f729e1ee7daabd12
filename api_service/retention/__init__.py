"""What is not kept any longer: purging it from the database, and removing files that nothing points at."""
