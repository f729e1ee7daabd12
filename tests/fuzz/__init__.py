"""The API against its own document: schemathesis, with all its checks, over the running system."""
