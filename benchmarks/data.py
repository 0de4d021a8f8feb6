"""Inputs of the benchmarks, fetched from their public origins: `python -m benchmarks.data` (`make data`).

Each input is a row of the table below: its name, where it comes from, the sha256 that it must have, its
licence. A file lands in benchmarks/.data/ (not in version control) only when its hash is right. Who has a
folder ../shared/data beside the repository uses the file of that name there, hash checked just the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".data"
SHARED = HERE.parent.parent / "shared" / "data"


@dataclasses.dataclass(frozen=True)
class Origin:
    """One input. `name` is its path under benchmarks/.data/, or under ../shared/data."""

    name: str
    url: str
    sha256: str
    licence: str
    also: str = ""  # another right hash: the same content, packed otherwise in ../shared/data


TSPLIB = "https://raw.githubusercontent.com/mastqe/tsplib/775541365dc3f7f3cd6faa8d0e206036d2c45e0e"
TOURS: dict[str, str] = {  # G. Reinelt's TSPLIB95: instance and the sha256 of its file
    "berlin52": "8496a5838133e3c3eb25a9fa8893b1ac302593fc8dc325350643a0cabd8abadc",
    "kroA200": "fd1f7640e823286826796bfccd103787c25f0b52e7275fae7eabf286303c0cbe",
    "lin318": "0de63cddb2a3ae9b10f3eaee4390ece107e2355445cdb5240db65a90eb1fe5fc",
    "pcb442": "0f58bc2f1aa0023764ebc14b3b0dcb6e765ffe173963fdc1cb8443d969842b51",
    "att532": "ac1707613da7f07e65604dbfb52bdbcfe572747f01e776cc82d39659b52b18fc",
    "rat783": "b9535dc5e44549f613bf6e34ee8667eed6f7a13e6b74c0b0451de95a480cabde",
    "pr1002": "2211b491e3b8c6ad087d58ead2a8480f9b1bb006fc4b9a245fc594cedd2ee8a7",
    "fl1577": "cb473802e29b1f4190980683bd4dd16a12e7fdcf3a80d0448c52fdda27d2e5a5",
    "pr2392": "f08186bb906df499bcd6e86455afca29da0d83375e10ed6001872ad6e06334f1",
    "pcb3038": "25081ac540357ec34935a4b366f32e58b0d605565b888f876211769ec972b87a",
    "rl5934": "9b16ad6a492201fd83dfc739fc37f3948057ccd99707408be350b411e62a9da8",
    "d15112": "45db9c1bd76685076c5a88f2e0cb3d86da35c2ac6ac027e000ed6cf5d9aca431",
}
CROWD = "https://raw.githubusercontent.com/zhydhkcws/crowd_truth_infer/8d21647/datasets"
VOTES: dict[str, tuple[str, str]] = {  # Y. Zheng et al., VLDB 10(5), 2017: file, its place there, and its sha256
    "bluebird_answer": (
        "d_Duck%20Identification/answer",
        "0d5e423652c079361a4cbc0adbee0945d40f02a9dedcfb6b068e8f2af63b24f0",
    ),
    "bluebird_truth": (
        "d_Duck%20Identification/truth",
        "04c6d8b6cdc298b63c05dc87d28ceebd018d4207e0ced7c1229ca3593a74983a",
    ),
    "dog_answer": ("s4_Dog%20data/answer", "db11159198f59fa2af87450b008f860ca2e9e04e3f15c697ef254af40fb6763a"),
    "dog_truth": ("s4_Dog%20data/truth", "2a641fa31e80526164d956da4228f80d31b303c2691ab1855c76fef72d04b746"),
    "face_answer": (
        "s4_Face%20Sentiment%20Identification/answer",
        "9e98c7c56ea1967ca9d3e2396b9abd469e96ee47a52a0103c917397adbb98f9b",
    ),
    "face_truth": (
        "s4_Face%20Sentiment%20Identification/truth",
        "c324c79fd7196d16cb638d956ec90209e405b0010741ffb5ecb1b6316f48cc4c",
    ),
}

MNIST = "https://raw.githubusercontent.com/fgnt/mnist/ae608a02b796c9ee908c082585a5f006fe05258e"
DIGITS: dict[
    str, tuple[str, str]
] = {  # Y. LeCun, C. Cortes and C. Burges's MNIST: file, its sha256, that of another packing
    "train-images-idx3-ubyte": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "db8f937d487057fb14a9f0fbe97f0bc8d311ab41b750d41e1ff37c43b9e55e19",
    ),
    "train-labels-idx1-ubyte": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", ""),
    "t10k-images-idx3-ubyte": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", ""),
    "t10k-labels-idx1-ubyte": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", ""),
}

ORIGINS: tuple[Origin, ...] = (
    Origin(
        "economy/fairpyx_ariel_5783_input.json",
        "https://raw.githubusercontent.com/ariel-research/fairpyx/0715b72c75b3341bb77251f810057c0601cae2af/"
        "experiments/data/ariel_5783_input.json",
        "e15052c7aa5bc7027b25e1bd63908b96c4716877f2a87df2f7db07169a5d70d8",
        "MIT",
    ),
    Origin(
        "economy/gavel_simulation_throughputs.json",
        "https://raw.githubusercontent.com/stanford-futuredata/gavel/c4fa40097339e9608ab71fd64c8bdea96a5e4a4c/"
        "scheduler/simulation_throughputs.json",
        "17111f7295f03265fd9e5118d7eba31e3dd9d6e50a2e215c13ad3d3f91f74381",
        "MIT",
    ),
    Origin(
        "forecasts/predictionbook_public.csv.zip",
        "https://raw.githubusercontent.com/niplav/iqisa/78d3b46/data/predictionbook/public.csv.zip",
        "196aaef2a4c217771f752a809cd24337446d23c5fb2ff9eed8139225fe1ab083",
        "none stated",
    ),
    Origin(
        "text/tinyshakespeare.txt",
        "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "public domain",
    ),
    Origin(
        "text/wikitext2_valid.txt",
        "https://raw.githubusercontent.com/pytorch/examples/77f55b9/word_language_model/data/wikitext-2/valid.txt",
        "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        "CC BY-SA 3.0",
    ),
    *(Origin(f"crowd/{name}.csv", f"{CROWD}/{place}.csv", sha, "none stated") for name, (place, sha) in VOTES.items()),
    *(
        Origin(f"mnist/{name}.gz", f"{MNIST}/{name}.gz", sha, "CC BY-SA 3.0", also)
        for name, (sha, also) in DIGITS.items()
    ),
    *(Origin(f"tsplib/{name}.tsp", f"{TSPLIB}/{name}.tsp", sha, "none stated") for name, sha in TOURS.items()),
)


class Unavailable(Exception):
    """An input is not at hand, or is not what it should be; the sentence says which and what to do."""


def path(name: str) -> Path:
    """Where the input `name` lies, hash checked; fetched where it does not lie anywhere yet.

    Raises `KeyError` for a name that is not in the table, `Unavailable` where it cannot be had.
    """
    origin = {origin.name: origin for origin in ORIGINS}[name]
    for folder in (FOLDER, SHARED):
        if (folder / name).is_file() and digest(folder / name) in (origin.sha256, origin.also):
            return folder / name
    return fetch(origin)


def fetch(origin: Origin, folder: Path = FOLDER) -> Path:
    """Download one input into `folder`; the file appears there whole and right, or not at all."""
    target = folder / origin.name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        with urllib.request.urlopen(origin.url, timeout=60) as source, part.open("wb") as sink:
            while block := source.read(1 << 20):
                sink.write(block)
        found = digest(part)
        if found != origin.sha256:
            raise Unavailable(
                f"{origin.name}: {origin.url} has sha256 {found}, not {origin.sha256} as the table says: "
                "it changed at its origin; check it and mend the table"
            )
        part.replace(target)
    except (urllib.error.URLError, TimeoutError) as error:
        raise Unavailable(f"{origin.name}: {origin.url} cannot be reached ({error}); try again later") from error
    finally:
        part.unlink(missing_ok=True)
    return target


def digest(file: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> int:
    """Say where each input lies, fetching what is missing; the exit code is 1 where one is not to be had."""
    failed = 0
    for origin in ORIGINS:
        try:
            print(f"{origin.name}: {path(origin.name)} ({origin.licence})")
        except Unavailable as error:
            failed = 1
            print(error, file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
