"""Many models, none in command: merged, routed and trained together, with influence measured and capped.

Names are found when they are first asked for (PEP 562): `import catallax.merging` loads neither NumPy nor JAX.
"""

from typing import TYPE_CHECKING

from catallax.core.lazy import lazy

if TYPE_CHECKING:
    from catallax.merging.alignment import WeightMatching as WeightMatching
    from catallax.merging.comparison import Comparison as Comparison
    from catallax.merging.comparison import compare as compare
    from catallax.merging.leaving import leave as leave
    from catallax.merging.members import Endpoint as Endpoint
    from catallax.merging.members import Process as Process
    from catallax.merging.merged import Merged as Merged
    from catallax.merging.merged import merge as merge
    from catallax.merging.method import Method as Method
    from catallax.merging.method import Stack as Stack
    from catallax.merging.router import Router as Router
    from catallax.merging.together.problem import Together as Together
    from catallax.merging.together.training import train_together as train_together

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Comparison": "catallax.merging.comparison",
        "Endpoint": "catallax.merging.members",
        "Merged": "catallax.merging.merged",
        "Method": "catallax.merging.method",
        "Process": "catallax.merging.members",
        "Router": "catallax.merging.router",
        "Stack": "catallax.merging.method",
        "Together": "catallax.merging.together.problem",
        "WeightMatching": "catallax.merging.alignment",
        "compare": "catallax.merging.comparison",
        "leave": "catallax.merging.leaving",
        "merge": "catallax.merging.merged",
        "train_together": "catallax.merging.together.training",
    },
)
