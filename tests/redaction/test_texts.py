"""Secrets in running text, by the name or the flag before them."""

from __future__ import annotations

import pytest

from accumcheck.redaction.texts import redacted_text

HIDES = [
    "python train.py --hub_token @ --lr 1",
    "python train.py --hub-token=@ --lr=1",
    "error: unrecognized arguments: --password @",
    "Command '['python', '--hub_token', '@', '--lr', '1']' failed",
    '["--hub_token", "@"]',
    "arguments:\n- --hub_token\n- @\n- --lr\n",
    "login(token='@', new=True)",
    'api_key = "@"',
    "b'password=@;'",
    "https://h/x?access_token=@&page=2",
    "{'hub_token': '@', 'steps': 1}",
    '{"hub_token": "@", "steps": 1}',
    r"{\"hub_token\": \"@\", \"steps\": 1}",
    "{'headers': {'Authorization': '@'}}",
    "training_arguments: {hub_token: @, seed: 1}",
    "training_arguments:\n  hub_token: @\n  seed: 1",
    "check.yaml:3: training_arguments.hub_token: found '@' (text); expected true or false",
    "check.yaml:3: callable_arguments.logins[0].password: found '@' (text); expected a number",
    "--set training_arguments.hub_token=@: unknown",
    "+trainer.hub_token=@",
    "HF_TOKEN=@ accumcheck run",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=@;EndpointSuffix=y",
]


@pytest.mark.parametrize("text", HIDES)
def test_what_stands_under_a_secrets_name(text: str) -> None:
    hidden = text.replace("@", "(hidden)")
    assert redacted_text(text.replace("@", "open-sesame")) == hidden
    assert redacted_text(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 5, max_tokens=5, --max_tokens 5",
        "pad_token_id=0 eos_token='</s>' tokenizer=gpt2 --tokenizer gpt2 --pad_token [PAD]",
        "{'eos_token': '<|im_end|>', 'pad_token': 'x', 'num_items_in_batch': 17}",
        "training_arguments.hub_token: unknown key; did you mean 'hub_model_id'?",
        "check.yaml:3: training_arguments.hub_token: found 5; expected text",
        "usage: train.py [-h] [--hub_token HUB_TOKEN] [--lr LR]",
        "    login(token=args.hub_token)",
        "    login(token=token)",
        "api_key=$API_KEY and {api_key: ${API_KEY}}",
        "the token is missing; a password: set it in the environment",
        "if token == other: token != 5",
        "loss_rule: microbatch-mean*k, gradient_rule: token-mean",
        "key: value\nsort_key: name\n",
        "--hub_token --lr 1",
        "",
    ],
)
def test_what_is_no_secret_can_be_read(text: str) -> None:
    assert redacted_text(text) == text


def test_a_secret_with_a_quote_in_it_goes_whole() -> None:
    assert redacted_text('{"password": "a\\"b", "x": "y"}') == '{"password": "(hidden)", "x": "y"}'
    assert redacted_text("""{'password': "it's", 'x': 1}""") == """{'password': "(hidden)", 'x': 1}"""


@pytest.mark.parametrize(
    "unit",
    [
        *("a='", '"a": "', "--a ", "{a: ", "a://", "- a", "a.", "\\", "'", "a[0]", "a: found ", " ", "\n", "-"),
        *("eyJaaaa.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----" + "a" * 30, "hf_a", "bearer "),
    ],
)
def test_long_hostile_text_ends(unit: str) -> None:
    # a pattern whose time grows with the square of the text would need an hour for each
    text = unit * (1_000_000 // len(unit))
    assert redacted_text(text).startswith((unit[:1], "(hidden)"))
