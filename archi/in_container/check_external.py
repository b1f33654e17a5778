"""Whether a vLLM elsewhere answers, takes the key and serves the model. Standard library only.

    check_external.py BASE_URL MODEL    BASE_URL ends in /v1

Runs in the chat application's image on the deployment's network, so that it sees what the chat
application will see. Prints one JSON object {"cause": …, "said": …, "served": […]}; "cause" is
null where all is well.
"""

import json
import pathlib
import socket
import ssl
import sys
import urllib.error
import urllib.request
from typing import Any

KEY_FILE = pathlib.Path("/run/archi/secrets/vllm_api_key")
TIMEOUT_SECONDS = 30


def ask(base_url: str, model: str) -> "dict[str, Any]":
    request = urllib.request.Request(f"{base_url}/models")  # noqa: S310 - the settings say http(s)
    has_key = KEY_FILE.exists()
    if has_key:
        request.add_header("Authorization", f"Bearer {KEY_FILE.read_text().strip()}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            listed = json.load(answer)
        served = [str(entry["id"]) for entry in listed["data"]]
    except urllib.error.HTTPError as error:
        said = f"HTTP {error.code} {error.reason}"
        if error.code in (401, 403):
            return {"cause": "key-refused" if has_key else "key-missing", "said": said}
        return {"cause": "no-vllm", "said": said}
    except urllib.error.URLError as error:
        return {"cause": cause(error.reason), "said": str(error.reason)}
    except TimeoutError:
        return {"cause": "unreachable", "said": f"no answer within {TIMEOUT_SECONDS} s"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"cause": "no-vllm", "said": f"{type(error).__name__}: {error}"}
    return {"cause": None if model in served else "model-not-served", "said": "", "served": served}


def cause(reason: object) -> str:
    if isinstance(reason, ssl.SSLError):
        return "certificate" if isinstance(reason, ssl.SSLCertVerificationError) else "no-tls"
    return "name-unknown" if isinstance(reason, socket.gaierror) else "unreachable"


if __name__ == "__main__":
    print(json.dumps(ask(*sys.argv[1:])))
