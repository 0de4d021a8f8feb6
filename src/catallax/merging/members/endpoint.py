"""A member behind a URL: a model that is asked by the chat-completions schema of OpenAI, as many servers speak it.

    POST {url}/chat/completions   {"model", "messages": [{"role", "content"}], "temperature": 0, ...}
    answer                        choices[0].message.content;   surety: exp(sum of the log probabilities of its tokens), if told

An input that is refused, late or answered by nonsense has no answer; a passing fault (time out, 429, 5xx, no JSON) is tried again.
Whether a member that answers nothing is out is the router's to say.
"""

import json
import math
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.members.member import Member, Said

Array = np.ndarray
LONGEST = 1 << 22  # bytes of an answer that are read


class Endpoint(Member):
    """`url`: up to the version ("http://localhost:8000/v1"); `model`: its name there; `prompt`: what an input is put into, at {x}.

    `labels`: the answers that are looked for in what is said (None: what is said is the answer); `system`: said before;
    `key`: sent as a bearer token; `timeout`: seconds a request; `retries` after a passing fault; `parallel`: requests at
    once; `more`: further fields of the request ({"max_tokens": 5, "logprobs": True}).

    `tokens`: used so far, as the server counts; `fault`: the last one, a sentence.
    """

    remote = True

    def __init__(
        self,
        url: str,
        model: str,
        *,
        prompt: str = "{x}",
        labels: Sequence[Any] | None = None,
        system: str | None = None,
        key: str | None = None,
        timeout: float = 30.0,
        retries: int = 1,
        parallel: int = 4,
        more: dict[str, Any] | None = None,
    ) -> None:
        if not re.match(r"https?://[^/\s]", url):
            raise BadInput(f"url is {url!r}: give one that starts with http:// or https://")
        if "{x}" not in prompt:
            raise BadInput(f"prompt is {prompt!r}: give a text with {{x}} where the input belongs")
        if not (timeout > 0 and retries >= 0 and parallel >= 1):
            raise BadInput("timeout must be above 0, retries at least 0, parallel at least 1")
        self.url, self.model, self.prompt, self.system = url.rstrip("/"), model, prompt, system
        self.labels = None if labels is None else list(labels)
        self.key, self.timeout, self.retries, self.parallel = key, timeout, retries, parallel
        self.more = dict(more or {})
        self.tokens, self.fault = 0, ""

    def ask(self, X: Any, classes: Array) -> Said:
        """As `Member.ask`; never `Gone`."""
        with ThreadPoolExecutor(self.parallel) as pool:
            said = list(pool.map(self.one, list(X)))
        self.tokens += sum(used for _, _, used, _ in said)
        self.fault = next((why for *_, why in reversed(said) if why), self.fault)
        answer = np.empty(len(said), object)
        answer[:] = [one for one, *_ in said]
        sure = np.array([np.nan if one is None else one for _, one, _, _ in said])
        return Said(answer, sure=None if np.isnan(sure).any() else sure)

    def one(self, x: Any) -> tuple[Any, float | None, int, str]:
        """(answer or None, how sure or None, tokens, what went wrong) for one input."""
        why = ""
        for _ in range(self.retries + 1):
            try:
                return *self.read(self.post(x)), ""
            except urllib.error.HTTPError as error:
                with error:
                    why = f"the server says {error.code} {error.reason}"
                if error.code != 429 and error.code < 500:
                    break
            except TimeoutError:
                why = f"no answer within {self.timeout:g} s"
            except OSError as error:  # URLError, a connection that breaks
                why = f"no connection: {getattr(error, 'reason', error)}"
            except (ValueError, LookupError, TypeError) as error:
                why = f"the answer does not keep the schema ({type(error).__name__}: {error})"
        return None, None, 0, why

    def post(self, x: Any) -> Any:
        """The server's answer to one input, as JSON."""
        text = x if isinstance(x, str) else json.dumps(np.asarray(x).tolist())
        messages = [{"role": "user", "content": self.prompt.replace("{x}", text)}]
        if self.system is not None:
            messages.insert(0, {"role": "system", "content": self.system})
        body = {"model": self.model, "messages": messages, "temperature": 0} | self.more
        headers = {"Content-Type": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        asked = urllib.request.Request(f"{self.url}/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(asked, timeout=self.timeout) as reply:
            return json.loads(reply.read(LONGEST))

    def read(self, given: Any) -> tuple[Any, float | None, int]:
        """Answer, how sure, tokens. Raises where the schema is not kept."""
        choice = given["choices"][0]
        text = choice["message"]["content"]
        if not isinstance(text, str):
            raise TypeError("content is no text")
        told = (choice.get("logprobs") or {}).get("content")
        sure = min(1.0, math.exp(sum(float(token["logprob"]) for token in told))) if told else None
        return self.label(text), sure, int((given.get("usage") or {}).get("total_tokens", 0))

    def label(self, text: str) -> Any:
        """The label that is meant: what is said, or the only one that stands in it; None where none or several do."""
        if self.labels is None:
            return text.strip()
        words = {str(label).casefold(): label for label in self.labels}
        plain = text.strip(" \t\r\n.,:;!\"'`*").casefold()
        if plain in words:
            return words[plain]
        met = [label for word, label in words.items() if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text.casefold())]
        return met[0] if len(met) == 1 else None
