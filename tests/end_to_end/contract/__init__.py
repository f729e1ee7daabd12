"""The HTTP contract, line by line, asked from outside as a stranger would: a test's docstring is the line that it holds."""
