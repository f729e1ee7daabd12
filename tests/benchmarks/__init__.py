"""`make bench`: what the system does on this machine, each figure beside the limit that it is measured against."""
