"""Which names are secrets' and which only sound like one."""

from __future__ import annotations

import pytest

from accumcheck.redaction.names import HIDDEN, is_secret_name, is_secret_value


@pytest.mark.parametrize(
    "name",
    [
        *(
            "token",
            "hub_token",
            "hub-token",
            "hubToken",
            "HF_TOKEN",
            "push_to_hub_token",
            "auth_tokens",
            "a.b.hub_token",
        ),
        *("password", "my_password", "dbPassword", "PGPASSWORD", "passwd", "passphrase", "db_pwd", "passwords"),
        *("secret", "client_secret", "clientSecret", "secrets", "AWS_SECRET_ACCESS_KEY", "secretAccessKey"),
        *("api_key", "api-key", "apiKey", "apikey", "APIKey", "APIkey", "X-Api-Key", "WANDB_API_KEY", "api_key_1"),
        *("private_key", "private-key", "privateKey", "privatekey", "access_key", "AccountKey", "credentials"),
        *("Authorization", "password_base64", "accessToken", "hftoken"),
    ],
)
def test_a_secrets_name_in_every_spelling(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("max_tokens", "tokens", "num_tokens", "pad_token_id", "eos_token", "pad_token", "image_token", "tokenizer"),
        *("eosToken", "PAD_TOKEN", "num_items_in_batch", "average_tokens_across_devices", "special_tokens"),
        *("image_token_index", "token_count", "sort_key", "key", "label_key", "num_key_value_heads", "public_key"),
        *("secretary", "passes", "author", "steps", "PWD", "OLDPWD", "SSH_AUTH_SOCK", "HF_TOKEN_PATH", "", "._-", "12"),
    ],
)
def test_what_only_sounds_like_one(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("value", ["open sesame", "x", "12345", "p@ss", "</s> x", "token"])
def test_what_is_under_a_password_is_one(value: str) -> None:
    assert is_secret_value("password", value)


@pytest.mark.parametrize(
    "value",
    ["", " ", "true", "None", "$HF_TOKEN", "${HF_TOKEN}", "${{ secrets.HF_TOKEN }}", "{token}", "HUB_TOKEN", HIDDEN],
)
def test_what_says_where_a_secret_is_kept_or_that_there_is_none_is_readable(value: str) -> None:
    assert not is_secret_value("hub_token", value)


def test_a_line_of_code_is_readable() -> None:
    assert not is_secret_value("token", "args.hub_token")
    assert is_secret_value("token", "args.something")


@pytest.mark.parametrize("value", ["</s>", "<|im_end|>", "[PAD]", "...", "151643"])
def test_a_tokenizers_token_under_a_name_that_could_be_a_logins(value: str) -> None:
    assert not is_secret_value("token", value)
    assert is_secret_value("token", "x" + value)
