"""Secrets that are recognised by their shape, in any text.

Sources: https://docs.github.com/code-security/secret-scanning (prefixes of many services),
https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats, RFC 7519 (JWT), RFC 7468 (PEM),
RFC 3986, 3.2.1 (a URL's user information).
"""

from __future__ import annotations

import re

from accumcheck.redaction.names import HIDDEN

_BEGIN = r"(?<![A-Za-z0-9_-])"
_TOKENS = (
    r"hf_(?:[A-Za-z0-9]{16,}|(?=[a-z0-9]*[A-Z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{10,})",  # Hugging Face
    r"gh[pousr]_[A-Za-z0-9]{16,}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{16,}",
    r"gl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_.-]{16,}",  # GitLab
    r"sk-(?:ant|proj|svcacct|admin|or)-[A-Za-z0-9_-]{16,}",
    r"sk-(?:[A-Za-z0-9]{16,}|(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,})",  # OpenAI, Anthropic and others
    r"(?:AKIA|ASIA)[A-Z0-9]{12,}(?![A-Za-z0-9])",  # AWS
    r"xox[a-z]-[A-Za-z0-9-]{8,}",  # Slack
    r"xapp-[A-Za-z0-9-]{8,}",
    r"AIza[A-Za-z0-9_-]{30,}",  # Google
    r"ya29\.[A-Za-z0-9_-]{16,}",
    r"pypi-AgE[A-Za-z0-9_-]{16,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
    r"dapi[0-9a-f]{32}",  # Databricks
    r"eyJ[A-Za-z0-9_-]{4,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",  # JSON web tokens
)
_TOKEN = re.compile(f"{_BEGIN}(?:{'|'.join(_TOKENS)})")
_HEADER = re.compile(
    r"(?i)(?<![\w-])(bearer\s+(?=[^\s\d]*\d)|authorization['\"]?\s*[:=]\s*['\"]?(?:basic|token)\s+)[\w.~+/=-]{8,}"
)
_HOOK = re.compile(r"(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/)[\w/.-]+")
_SIGNED = re.compile(
    r"(?i)([?&](?:sig|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential)=)"
    r"[^\s&\"'<>#]+"
)
_USER_IN_URL = re.compile(r"(?<=://)(?!git@)[^/\s?#\"'<>]+@")
_PRIVATE_KEY = re.compile(
    # up to its end; if that was cut off, the lines of base64
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]*(?:-(?!----(?:END|BEGIN))[^-]*)*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\s|\\+[rn])*[A-Za-z0-9+/=]{8,})*)"
)


def without_shapes(text: str) -> str:
    """The text with everything hidden that looks like a secret."""
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(HIDDEN, text)
    if "://" in text:
        text = _USER_IN_URL.sub(f"{HIDDEN}@", text)
        text = _SIGNED.sub(rf"\1{HIDDEN}", text)
        text = _HOOK.sub(rf"\1{HIDDEN}", text)
    return _HEADER.sub(rf"\1{HIDDEN}", _TOKEN.sub(HIDDEN, text))
