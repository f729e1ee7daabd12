"""Which models there are to serve, found without running a line of their code: that is for their child processes.

A model comes from Torchrelay itself, from an installed package's entry point in the group `torchrelay.models`, or from
a file in the folder MODELS_DIR, whose classes are read from the syntax tree.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from shared.errors import InvalidModel

ENTRY_POINTS = "torchrelay.models"

# Not entry points: those are written when a package is installed, and a source tree's would be out of step with it.
BUILT_IN: Mapping[str, str] = {
    "digits": "ml_service.models.digits.model:Digits",
    "text-embedding": "ml_service.models.text_embedding:TextEmbedding",
    "zero-shot-text": "ml_service.models.zero_shot_text:ZeroShotText",
}
ECHO: Mapping[str, str] = {"echo": "ml_service.models.echo:Echo"}


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Where a model's class is: target is "module:Class" or "path/to/file.py:Class".

    name: the model's own, None where a file's text does not tell it; the description made by the child does.
    """

    target: str
    name: str | None = None

    def __str__(self) -> str:
        return self.target


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found. Each problem is about one file that could not be read for models; the others serve."""

    references: tuple[ModelReference, ...]
    problems: tuple[InvalidModel, ...] = ()


def discover(
    models_dir: Path | None = None, *, built_in: Mapping[str, str] = BUILT_IN, enable_echo: bool = False
) -> Discovery:
    """All models there are. Raises InvalidModel where two have one name; anything else wrong is in `problems`."""
    ours = {**built_in, **ECHO} if enable_echo else built_in
    references = [ModelReference(target, name) for name, target in ours.items()]
    references += [ModelReference(point.value, point.name) for point in entry_points(group=ENTRY_POINTS)]
    problems: list[InvalidModel] = []
    for path in _files(models_dir, problems):
        try:
            references += _read(path)
        except InvalidModel as problem:
            problems.append(problem)
    refuse_duplicates((reference.name, reference) for reference in references)
    return Discovery(tuple(references), tuple(problems))


def refuse_duplicates(named: Iterable[tuple[str | None, ModelReference]]) -> None:
    """Raises InvalidModel if one name stands for two places. For the descriptions, too: only they know every name."""
    places: dict[str, str] = {}
    for name, reference in named:
        if name is None:
            continue
        first = places.setdefault(name, reference.target)
        if first != reference.target:
            raise InvalidModel(f'two models are named "{name}": {first} and {reference.target}; rename one of them')


def _files(folder: Path | None, problems: list[InvalidModel]) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        problems.append(InvalidModel(f"MODELS_DIR is not a folder: {folder}"))
        return []
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _read(path: Path) -> list[ModelReference]:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise InvalidModel(f"{path} cannot be read as Python: {error}") from error
    references = [ModelReference(f"{path}:{node.name}", _name_in(node)) for node in _model_classes(tree)]
    if not references:
        raise InvalidModel(
            f"{path} has no class whose base is Model; start the file's name with an underscore if that is meant"
        )
    return references


def _model_classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """Public classes that derive from Model, directly or through another class of the file; _Private ones are bases."""
    known = {"Model"} | _aliases_of_model(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(_base_name(base) in known for base in node.bases):
            known.add(node.name)
            if not node.name.startswith("_"):
                yield node


def _aliases_of_model(tree: ast.Module) -> set[str]:
    return {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "ml_service.model"
        for alias in node.names
        if alias.name == "Model" and alias.asname
    }


def _base_name(base: ast.expr) -> str | None:
    match base:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _base_name(value)
        case _:
            return None


def _name_in(node: ast.ClassDef) -> str | None:
    """The literal that the class assigns to `name`."""
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="name")], value=ast.Constant(value=str() as name))
                | ast.AnnAssign(target=ast.Name(id="name"), value=ast.Constant(value=str() as name))
            ):
                return name
    return None
