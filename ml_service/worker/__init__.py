"""One worker process: it pulls messages, claims their jobs in batches, has children run them, and settles.

receiver -> desk -> lane (batcher -> claim -> start -> child -> settle) -> desk (ack)
                     one lane for each model
"""
