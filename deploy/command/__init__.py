"""The `torchrelay` command, built on the client alone. docs/client.md has its exit codes."""
