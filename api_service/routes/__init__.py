"""The calls, each file one group of them. They speak HTTP and nothing else: what is decided, is decided elsewhere."""
