"""Finding models without running them."""

import subprocess
import sys
from pathlib import Path

import pytest

from ml_service.discovery import BUILT_IN, ModelReference, discover, refuse_duplicates
from shared.errors import InvalidModel


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def found(folder: Path) -> list[tuple[str, str | None]]:
    references = discover(folder, built_in={}).references
    return [(reference.target.removeprefix(f"{folder}/"), reference.name) for reference in references]


def test_the_built_in_models_are_there_and_echo_only_when_enabled() -> None:
    names = {reference.name for reference in discover().references}
    assert names >= {"digits", "text-embedding", "zero-shot-text"}
    assert "echo" not in names
    assert ModelReference("ml_service.models.echo:Echo", "echo") in discover(enable_echo=True).references


def test_an_installed_packages_entry_points_are_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "theirs-1.0.dist-info"
    package.mkdir()
    write(package, "METADATA", "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    write(package, "entry_points.txt", "[torchrelay.models]\nreverse = theirs.models:Reverse\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert ModelReference("theirs.models:Reverse", "reverse") in discover().references


@pytest.mark.parametrize(
    "text",
    [
        "class Reverse(Model):\n    name = 'reverse'",
        "class Reverse(interface.Model):\n    name: ClassVar[str] = 'reverse'",
        "from ml_service.model import Model as Base\nclass Reverse(Base):\n    name = 'reverse'",
        "class _Shared(Model):\n    version = 2\nclass Reverse(_Shared):\n    name = 'reverse'",
        "class Reverse(Model[int]):\n    name = 'reverse'\nclass Other(BaseModel):\n    name = 'other'",
    ],
    ids=["bare", "qualified", "renamed", "through a private base", "generic"],
)
def test_a_files_model_classes_are_recognised(tmp_path: Path, text: str) -> None:
    write(tmp_path, "texts.py", text)
    assert found(tmp_path) == [("texts.py:Reverse", "reverse")]


def test_a_name_that_is_computed_is_left_to_the_description(tmp_path: Path) -> None:
    write(tmp_path, "texts.py", "class Reverse(Model):\n    name = PREFIX + 'reverse'")
    assert found(tmp_path) == [("texts.py:Reverse", None)]


def test_files_are_not_run_and_private_ones_not_read(tmp_path: Path) -> None:
    write(tmp_path, "loud.py", "raise SystemExit('run')\nclass Loud(Model):\n    name = 'loud'")
    write(tmp_path, "_parts.py", "this is not Python")
    assert discover(tmp_path, built_in={}).problems == ()
    assert found(tmp_path) == [("loud.py:Loud", "loud")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("class Broken(:", "cannot be read as Python"), ("\0", "cannot be read as Python"), ("X = 1", "no class whose")],
    ids=["syntax", "binary", "no model"],
)
def test_a_broken_file_is_reported_for_itself_and_the_others_go_on(tmp_path: Path, text: str, problem: str) -> None:
    broken = write(tmp_path, "a.py", text)
    write(tmp_path, "b.py", "class Reverse(Model):\n    name = 'reverse'")
    assert found(tmp_path) == [("b.py:Reverse", "reverse")]
    (error,) = discover(tmp_path).problems
    assert str(broken) in str(error)
    assert problem in str(error)


def test_a_missing_folder_is_a_problem_of_its_own(tmp_path: Path) -> None:
    discovery = discover(tmp_path / "nowhere")
    assert [str(problem) for problem in discovery.problems] == [f"MODELS_DIR is not a folder: {tmp_path / 'nowhere'}"]
    assert len(discovery.references) >= len(BUILT_IN)


def test_two_models_of_one_name_are_an_error_that_names_both_places(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.py", "class Mine(Model):\n    name = 'digits'")
    with pytest.raises(InvalidModel) as caught:
        discover(tmp_path)
    assert str(caught.value) == (
        f'two models are named "digits": ml_service.models.digits.model:Digits and {path}:Mine; rename one of them'
    )


def test_duplicates_are_refused_by_place_and_unknown_names_are_no_duplicates() -> None:
    one, other = ModelReference("a:A"), ModelReference("b:B")
    refuse_duplicates([(None, one), (None, other), ("a", one), ("a", one), ("b", other)])
    with pytest.raises(InvalidModel, match='"a": a:A and b:B'):
        refuse_duplicates([("a", one), ("a", other)])


def test_the_parents_modules_import_neither_torch_nor_a_model() -> None:
    code = (
        "import sys, ml_service.discovery, ml_service.child.process, ml_service.device\n"
        "ml_service.discovery.discover(enable_echo=True)\n"
        "print([name for name in sys.modules if name == 'torch' or name.startswith('ml_service.models')])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
