"""Everything is broken on purpose, and the promises are held against what is left. `python -m tests.chaos --help`."""
