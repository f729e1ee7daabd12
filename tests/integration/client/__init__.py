"""The client against a real API, also through a line that fails."""
