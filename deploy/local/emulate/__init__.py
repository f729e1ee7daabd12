"""Just the broker: `make emulator`."""
