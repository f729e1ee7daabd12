import socket

import pytest

from ml_service.models.encoder import CHUNK_ON_CPU, Encoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder("cpu")


def test_loads_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    Encoder("cpu")


def test_loading_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    Encoder("cpu")
    assert "".join(capfd.readouterr()) == ""


def test_the_longest_texts_come_first_in_chunks(encoder: Encoder) -> None:
    texts = ["word " * (1 + place % 7) for place in range(CHUNK_ON_CPU + 8)]
    chunks = [places for places, _ in encoder.encode(texts)]
    assert [len(places) for places in chunks] == [CHUNK_ON_CPU, 8]
    lengths = [len(texts[place]) for places in chunks for place in places]
    assert lengths == sorted(lengths, reverse=True)


def test_every_place_comes_exactly_once(encoder: Encoder) -> None:
    texts = ["same"] * (2 * CHUNK_ON_CPU + 1)
    assert sorted(place for places, _ in encoder.encode(texts) for place in places) == list(range(len(texts)))


def test_an_unwanted_text_is_left_out_and_the_chunk_filled_with_others(encoder: Encoder) -> None:
    texts = ["some text"] * (2 * CHUNK_ON_CPU)
    chunks = [places for places, _ in encoder.encode(texts, wanted=lambda place: place % 2 == 0)]
    assert [sorted(places) for places in chunks] == [list(range(0, 2 * CHUNK_ON_CPU, 2))]
