"""The HTTP side: submit, poll, list, cancel; the relay and the reconciler. Never imports torch."""
