"""How much an owner may submit, and how much a queue may hold."""
