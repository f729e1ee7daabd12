"""`digits`: classifies a handwritten digit. `python -m ml_service.models.digits.train --output DIR` makes its weights."""
