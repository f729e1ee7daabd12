"""The models that come with Torchrelay."""
