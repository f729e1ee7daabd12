"""What both services agree on: states, statements, the wire message, the broker. Neither FastAPI nor torch."""
