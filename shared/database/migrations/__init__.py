"""Alembic's folder: one file a step, each of which can be undone."""
