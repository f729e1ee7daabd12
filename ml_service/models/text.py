"""The texts that the language models take, as fields of their inputs."""

from typing import Annotated

from pydantic import Field

# The encoder reads the first 256 word pieces of a text, about 1,000 characters, and the rest is cut off. A long paragraph
# still says most of itself in that; a whole document does not, and whoever sends one should split it.
LONGEST_TEXT = 10_000

Text = Annotated[
    str,
    Field(
        max_length=LONGEST_TEXT,
        title="Text",
        description="Read up to its 256th word piece, about 1,000 characters of English.",
    ),
]
