"""The trained network on its device."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ml_service.models.digits import weights
from ml_service.models.digits.network import network
from shared.errors import InvalidModel


class Classifier:
    """folder: one version, as `weights.write` leaves it. Raises InvalidModel if its files are not there or not right."""

    def __init__(self, folder: Path, device: str) -> None:
        tensors = weights.read(folder)
        model = network()
        try:
            model.load_state_dict(tensors)
        except RuntimeError as error:  # pinned, and yet of another network: a version that was trained by other code
            raise InvalidModel(f"the weights in {folder} do not fit the network; {weights.REMEDY}") from error
        self._model = model.to(device).eval()
        self._device = device

    @torch.inference_mode()
    def probabilities(self, blocks: NDArray[np.float32]) -> list[list[float]]:
        """blocks: [n, 8, 8], 0 to 16. Returns n times ten numbers that sum to 1."""
        images = torch.from_numpy(blocks).to(self._device).unsqueeze(1) / 16
        shares: list[list[float]] = self._model(images).cpu().double().softmax(dim=1).tolist()
        return shares
