"""Models that are only there to be measured; served through MODELS_DIR."""
