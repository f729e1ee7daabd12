"""Telling others that a job has ended: whom one may tell, with what signature, how often, and what came of it."""
