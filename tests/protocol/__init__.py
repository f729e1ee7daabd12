"""The protocol of jobs as an executable model (docs/protocol.md), and the real statements driven against it."""
