"""The client's logic, without a network."""
