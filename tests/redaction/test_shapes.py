"""Secrets that are known by their shape. None of those here opens anything."""

from __future__ import annotations

import pytest

from accumcheck.redaction.names import HIDDEN
from accumcheck.redaction.shapes import without_shapes

LETTERS = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKl"
KEY = "MIIEowIBAAKCAQEA0Z3VS5JJcds3\nxfn/ygWyF8PbnGy0AHB7MaQ="
PEM = f"-----BEGIN {{0}}PRIVATE KEY-----\n{KEY}\n-----END {{0}}PRIVATE KEY-----"
# Written in parts: the scanners that look for such tokens in repositories need not be told of these.
TOKENS = [
    "hf_" + LETTERS[:34],
    "hf_" + "a" * 34,
    "ghp_" + LETTERS[:36],
    "ghs_" + LETTERS[:36],
    "github_pat_" + LETTERS[:22] + "_" + LETTERS[:40],
    "glpat-" + LETTERS[:20],
    "sk-" + LETTERS[:40],
    "sk-proj-" + LETTERS[:20] + "_" + LETTERS[:20],
    "sk-ant-api03-" + LETTERS[:30],
    "AKIA" + "IOSFODNN7EXAMPLE",
    "xoxb-" + "123456789012-" + LETTERS[:24],
    "AIza" + LETTERS[:35],
    "npm_" + LETTERS[:36],
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    PEM.format("RSA "),
    PEM.format(""),
    PEM.format("OPENSSH ").replace("\n", "\\n"),
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["{}", "login with {} failed", 'x "{}",', "a={}&b=1", "'{}'", "https://h/{}/x"])
def test_a_known_shape_goes_wherever_it_stands(token: str, around: str) -> None:
    assert without_shapes(around.format(token)) == around.format(HIDDEN)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("https://me:pw@example.org/a", f"https://{HIDDEN}@example.org/a"),
        ("git+https://token@example.org/a@v1", f"git+https://{HIDDEN}@example.org/a@v1"),
        ("https://me:p@ss:w@example.org", f"https://{HIDDEN}@example.org"),
        ("postgres://u:p@db:5432/x", f"postgres://{HIDDEN}@db:5432/x"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {HIDDEN}"),
        ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: Basic {HIDDEN}"),
        ("https://h/b?x=1&X-Amz-Signature=abc&y=2", f"https://h/b?x=1&X-Amz-Signature={HIDDEN}&y=2"),
        ("https://hooks.slack.com/services/T0/B0/xyz", f"https://hooks.slack.com/services/{HIDDEN}"),
    ],
)
def test_addresses_and_headers(text: str, without: str) -> None:
    assert without_shapes(text) == without


def test_a_private_key_that_was_cut_off_goes_as_far_as_it_is_there() -> None:
    cut = PEM.format("")[:70]
    assert without_shapes(f"read {cut}\nThen it ended; see the log.") == f"read {HIDDEN}\nThen it ended; see the log."


@pytest.mark.parametrize(
    "text",
    [
        "hf_hub_download, hf_transfer and hf_quantizer of huggingface_hub",
        "risk-averse task-specific-model-name-number-1 sk-learn",
        "a bearer of news, me@example.org and git@github.com:a/b.git, ssh://git@github.com/a/b",
        "git+https://github.com/a/b@0123456789abcdef0123456789abcdef01234567",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "model.layers.0.self_attn.q_proj.weight, x_AKIAIOSFODNN, the eyJ of it",
    ],
)
def test_words_paths_names_and_hashes_stay(text: str) -> None:
    assert without_shapes(text) == text
