"""The worker: pull, claim, batch, run models in child processes, settle."""
