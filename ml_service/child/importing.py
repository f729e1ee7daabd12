"""From a reference to the class it names. This runs the model's code, so only ever in its own process."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ml_service.child.faults import told
from ml_service.model import Model
from shared.errors import InvalidModel


def import_model(target: str) -> type[Model]:
    """target: "module:Class" or "path/to/file.py:Class". Raises InvalidModel."""
    place, _, name = target.rpartition(":")
    try:
        module = _import_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        found = _attribute(module, name)
    except BaseException as error:
        raise InvalidModel(f"{target} cannot be imported: {told(error)}") from error
    if not isinstance(found, type) or not issubclass(found, Model):
        raise InvalidModel(f"{target} is not a subclass of ml_service.model.Model")
    return found


def _import_file(path: Path) -> ModuleType:
    # Last: a model file may import its neighbours, but one called random.py must not stand in for the library's.
    sys.path.append(str(path.parent.resolve()))
    name = f"torchrelay_model_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks there for the types that annotations name
    spec.loader.exec_module(module)
    return module


def _attribute(module: ModuleType, dotted: str) -> object:
    found: object = module
    for name in dotted.split("."):
        found = getattr(found, name)
    return found
