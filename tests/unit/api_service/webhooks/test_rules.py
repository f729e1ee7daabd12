"""What is seen to be wrong with a webhook's URL before anything is looked up."""

from ipaddress import ip_network

import pytest

from api_service.webhooks.rules import Target, UrlRules, read_url

STRICT = UrlRules()
LOCAL = UrlRules(allow_http=True, networks=(ip_network("127.0.0.0/8"),))

PRIVATE = [
    *("https://127.0.0.1/", "https://127.0.0.1./", "https://10.0.0.5:8443/x", "https://169.254.169.254/latest/"),
    *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/"),
    *(
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://0.0.0.0/",
        "https://[fd00:ec2::254]/",
    ),
]
# Other ways to write 127.0.0.1, that resolvers understand.
DISGUISED = [
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0x7f.0.0.1/",
]
NO_HOST = [
    "https://a..b/",
    "https://-a-/",
    "https://a%2eb/",
    "https://[fe80::1%25eth0]/",
    "https://1.2.3.4.5/",
    "https://[::g]/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_address_is_refused(url: str) -> None:
    assert STRICT.wrong_with(url) == "leads to an address that is not on the public internet"


@pytest.mark.parametrize("url", DISGUISED + NO_HOST)
def test_an_address_is_written_as_an_address(url: str) -> None:
    assert STRICT.wrong_with(url) is not None
    assert LOCAL.wrong_with(url) is not None


@pytest.mark.parametrize(
    "url", ["https://example.com/?a=b#c", "https://example.com:8443", "https://1.1.1.1/", "https://a_b.example.com./"]
)
def test_a_public_one_is_taken(url: str) -> None:
    assert STRICT.wrong_with(url) is None


def test_http_is_for_those_who_allow_it() -> None:
    assert STRICT.wrong_with("http://example.com/") == "must begin with https://"
    assert UrlRules(allow_http=True).wrong_with("http://example.com/") is None


def test_a_network_that_is_allowed_may_be_named() -> None:
    for url in ("http://127.0.0.1:8080/", "https://localhost:8443/"):
        assert LOCAL.wrong_with(url) is None
    assert LOCAL.wrong_with("https://10.0.0.1/") is not None


@pytest.mark.parametrize("port", [22, 25, 1023])
def test_services_that_are_no_webhooks_are_not_called(port: int) -> None:
    assert f"port {port}" in str(STRICT.wrong_with(f"https://example.com:{port}/"))


@pytest.mark.parametrize(
    "url", ["https://u@example.com/", "https://u:p@example.com/", "https://example.com\\@evil.com/"]
)
def test_credentials_are_refused(url: str) -> None:
    assert "names a user" in str(STRICT.wrong_with(url))


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://Example.COM./x", "example.com", 443),
        ("http://example.com/x", "example.com", 80),
        ("https://[2606:4700::1]:8443/", "2606:4700::1", 8443),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
    ],
)
def test_where_it_leads_is_read_once(url: str, host: str, port: int) -> None:
    """The host and port that are judged are those that are called."""
    target = read_url(url)
    assert isinstance(target, Target)
    assert (target.host, target.port) == (host, port)
