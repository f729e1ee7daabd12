"""The images, and what runs inside them besides the services."""
