"""Everything that is said to Pub/Sub."""
