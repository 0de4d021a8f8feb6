"""Benchmarks of catallax, each with its peers in the same run.

    python -m benchmarks                     all of them, into benchmarks/RESULTS.md
    python -m benchmarks.engine --quick      one of them, on the screen
    python -m benchmarks.engine --json       the same as one JSON object
    python -m benchmarks.data                what inputs they need, fetched and checked

A benchmark is a module that is named in the table below, takes --quick, --json and --device, and prints a
`harness.Report`. Two sides of a comparison are timed in one run; what each reached in accuracy stands beside
its time; time to compile and to set up is shown apart; times are medians of at least five, with the smallest
and the largest.
"""

from __future__ import annotations

BENCHMARKS: dict[str, str] = {
    "engine": "a population that trades at random, against Mesa, mesa-frames, AgentPy and numpy",
    "exchange_round": "a round of a million traders against one pass over memory; start-up of the commands",
    "markets": "market equilibria at equal certified gaps, against CVXPY with Clarabel and resalloc; a million buyers",
    "many_markets": "ten thousand small markets at once, to a certified gap, beside a loop of single calls",
    "robustness": "three hundred markets, easy and vicious: are all certified, and is any slow?",
    "order_book": "orders a second through the matching engine, against two Python books; zero-intelligence traders",
    "games": "all equilibria of games of two, against nashpy and QuantEcon; regret matching to a correlated equilibrium",
    "courses": "course seats by approximate equilibrium from equal incomes, against serial dictatorship and others",
    "cluster": "a GPU cluster where jobs come and go: prices against max-min fairness and equal shares",
    "pacing": "ad budgets through a day of auctions: paced by prices, true values, one shade for all",
    "slime": "a million particles on a lattice of pheromone, against numba and NumPy; what few bits do to foraging ants",
    "tours": "short tours by ants, against ACOTSP, Focused ACO, fast-tsp, LKH, OR-Tools, scikit-opt and acopy; controls",
    "changing": "a tour after a twentieth of its cities has changed: carried on, against cold restarts and trails or tour alone",
    "crowd_labels": "labels from the votes of crowds, against crowd-kit's Dawid-Skene; ten million votes; few votes a worker",
    "forecasts": "human forecasts pooled online by a market that learns whom to trust, against means, latest, track records",
    "characters": "the next character of Shakespeare by a market of n-grams, against the best of them, mixtures and PPM",
    "ensembles": "markets of models on tables with classes, against votes, stacking, greedy selection and single models",
    "leaves": "a forest whose leaves trade, against the same forest whose trees vote",
    "regression": "numbers forecast by a market of regressors, against voting, stacking and the best member",
    "teaching": "one network under many teaching signals on MNIST: error, bits, time; a step against plain JAX and Optax",
    "decoupled": "layers in two processes, a slow link: local losses that wait for nobody, backpropagation in lock-step; kills",
    "predictive_coding": "steps a second of predictive coding, against PCX and JPC",
    "sparse": "sparse codes at a certified gap, against scikit-learn; dictionaries; sparse features against dense ones",
    "activity": "a price on activity in a deep chain: redundancy, specialisation, noise, few labels; dropout as control",
    "market_net": "modules that bid for inputs: against mixtures, random dealing, one larger module; payments shuffled",
    "clearing": "prices that send tokens to experts, against exact assignment, HiGHS, Sinkhorn and others",
    "experts": "experts by price, forward and backward, beside a dense layer of the same flops and other routings",
    "competition": "characters routed by price, auxiliary loss, hash and others; where a market should win: criteria first",
    "merging": "checkpoints merged from disk, against mergekit's merge stage: CPU seconds, memory, rounding",
    "merging_quality": "what merges are worth: eight tasks beside mergekit and FusionBench, alignment, members that lie",
    "router": "members that bid for each input, against the best one, averages, cascades and a planner; liars, kills",
    "together": "one model trained by many: bits, liars, unlike rows, gossip's rate against the spectral gap",
    "mean_field": "a two-layer network as a crowd: one loss curve for all widths; a round against plain JAX",
    "hopfield": "what share of patterns a Hopfield network recalls at which load; spin updates against the textbook loop",
    "random_battery": "the random numbers through dieharder (hours; left out where it is not installed)",
}
