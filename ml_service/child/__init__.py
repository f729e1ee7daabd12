"""The process that owns a model and its device, and its parent's side of the pipe."""
