"""Which version of `digits` this is. Whoever looks for its weights need not import torch to know."""

VERSION = 2  # 2: an image may be an upload
