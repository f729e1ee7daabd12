"""Tiny models, most of them bad in one way, to see what the child process and its parent make of them.

They stand in files as an ML engineer's would in MODELS_DIR. Only child processes import them.
"""
