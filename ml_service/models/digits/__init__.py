"""`digits`: classifies a handwritten digit. `python -m ml_service.models.digits.train --output DIR` makes its weights."""

from ml_service.models.digits.model import Digits

__all__ = ["Digits"]
