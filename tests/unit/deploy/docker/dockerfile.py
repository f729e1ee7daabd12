"""A Dockerfile as the tests read it: its stages, each with its instructions."""

import re
from dataclasses import dataclass, field
from pathlib import Path

FILES = tuple(sorted(Path("deploy/docker").glob("*Dockerfile")))
IMAGES = Path("deploy/docker/Dockerfile")


@dataclass(frozen=True, slots=True)
class Stage:
    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)  # such as ("RUN", "make")

    def all(self, keyword: str) -> list[str]:
        return [rest for word, rest in self.instructions if word == keyword]


def stages(file: Path) -> dict[str, Stage]:
    """By name; the last one, if it has none, by the file's."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = found.setdefault(name or file.stem, Stage(base, name or file.stem))
        elif keyword and stage is not None:
            stage.instructions.append((keyword, rest))
    return found
