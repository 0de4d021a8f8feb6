"""Who knows the next character? Traders that look at the last 1, 2, .. 6 characters, and a market that learns whom to trust.

Each character is offered on before anyone has seen it; then the traders are paid, and count it. Shown as the text goes by:
bits a character of the best trader alone, of the mean of all, of the market, and who has how much say. At the end the
market writes on by itself. Any text will do:

    python examples/characters.py shakespeare.txt [500000]
"""

import sys
from pathlib import Path

import numpy as np

from catallax.ensembles import OnlineMarket
from catallax.ensembles.characters import Ngram, windows

ORDERS = (1, 2, 3, 4, 5, 6)


def read(y, symbols, looks=10):
    """The market after the text, and one row of figures a look: characters so far, bits since the last look, influence."""
    traders = [(f"order {n}", Ngram(n, symbols)) for n in ORDERS]
    market, beside = OnlineMarket(traders, floor=1e-6), [Ngram(n, symbols) for n in ORDERS]
    X, before, rows = windows(y, max(ORDERS)), 0.0, []
    for part in np.array_split(np.arange(len(y)), looks):
        market.partial_fit(X[part], y[part], classes=np.arange(symbols))
        log = np.array([one.offer_and_learn(X[part], y[part])[np.arange(len(part)), y[part]] for one in beside])
        spent, before = market.log_loss_ * market.rows_ - before, market.log_loss_ * market.rows_
        nats = (-log.mean(1).max(), -np.log(np.exp(log).mean(0)).mean(), spent / len(part))
        rows.append((market.rows_, *(value / np.log(2) for value in nats), *market.influence_.values()))
    return market, rows


def written(market, last, characters, seed=0):
    """What the market would go on with: each character drawn from its price."""
    rng, text = np.random.default_rng(seed), list(last)
    for _ in range(characters):
        price = market.predict_proba(np.array(text[-max(ORDERS) :])[None])[0]
        text.append(int(rng.choice(len(price), p=price)))
    return text[len(last) :]


def main():
    """Print the figures and what the market writes."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8")[: int((sys.argv[2:] or ["200000"])[0])]
    symbols = sorted(set(text))
    y = np.array([symbols.index(c) for c in text])
    market, rows = read(y, len(symbols))
    print("characters  best one   mean  market   influence of order " + "     ".join(map(str, ORDERS)))
    for count, best, mean, price, *influence in rows:
        shares = " ".join(f"{share:5.2f}" for share in influence)
        print(f"{count:10,}  {best:8.3f}  {mean:5.3f}  {price:6.3f}   {'':16}{shares}")
    print("".join(symbols[c] for c in written(market, y[-max(ORDERS) :], 300)))


if __name__ == "__main__":
    main()
