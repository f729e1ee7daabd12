"""The command, without a server."""
