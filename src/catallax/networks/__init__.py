"""Networks as decentralised systems: layers that learn from what they are told, and what they are told is one argument.

Names are found when they are first asked for (PEP 562): `import catallax.networks` loads neither JAX nor scikit-learn.
"""

from typing import TYPE_CHECKING

from catallax.core.lazy import lazy

if TYPE_CHECKING:
    from catallax.networks.chain import Chain as Chain
    from catallax.networks.convert import learnt as learnt
    from catallax.networks.convert import teach as teach
    from catallax.networks.decoupled import train_apart as train_apart
    from catallax.networks.estimators import ChainClassifier as ChainClassifier
    from catallax.networks.estimators import ChainRegressor as ChainRegressor
    from catallax.networks.hopfield import Hopfield as Hopfield
    from catallax.networks.hopfield import Recall as Recall
    from catallax.networks.layers import Block as Block
    from catallax.networks.layers import Dense as Dense
    from catallax.networks.layers import Layer as Layer
    from catallax.networks.mean_field import TwoLayer as TwoLayer
    from catallax.networks.objectives import Objective as Objective
    from catallax.networks.problem import Lessons as Lessons
    from catallax.networks.saved import load as load
    from catallax.networks.saved import save as save
    from catallax.networks.sparse.coder import SparseCoder as SparseCoder
    from catallax.networks.sparse.convolutional import ConvolutionalCoder as ConvolutionalCoder
    from catallax.networks.sparse.dictionary import DictionaryLearner as DictionaryLearner
    from catallax.networks.sparse.problem import SparseCode as SparseCode
    from catallax.networks.teaching.backpropagation import Backpropagation as Backpropagation
    from catallax.networks.teaching.deep_supervision import DeepSupervision as DeepSupervision
    from catallax.networks.teaching.direct_feedback_alignment import DirectFeedbackAlignment as DirectFeedbackAlignment
    from catallax.networks.teaching.equilibrium import EquilibriumPropagation as EquilibriumPropagation
    from catallax.networks.teaching.feedback_alignment import FeedbackAlignment as FeedbackAlignment
    from catallax.networks.teaching.forward_forward import ForwardForward as ForwardForward
    from catallax.networks.teaching.local_losses import LocalLosses as LocalLosses
    from catallax.networks.teaching.predictive_coding import PredictiveCoding as PredictiveCoding
    from catallax.networks.teaching.random_targets import RandomTargets as RandomTargets
    from catallax.networks.teaching.silence import Silence as Silence
    from catallax.networks.teaching.softhebb import SoftHebb as SoftHebb
    from catallax.networks.training import train as train

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Backpropagation": "catallax.networks.teaching.backpropagation",
        "Block": "catallax.networks.layers",
        "Chain": "catallax.networks.chain",
        "ChainClassifier": "catallax.networks.estimators",
        "ChainRegressor": "catallax.networks.estimators",
        "ConvolutionalCoder": "catallax.networks.sparse.convolutional",
        "DeepSupervision": "catallax.networks.teaching.deep_supervision",
        "Dense": "catallax.networks.layers",
        "DictionaryLearner": "catallax.networks.sparse.dictionary",
        "DirectFeedbackAlignment": "catallax.networks.teaching.direct_feedback_alignment",
        "EquilibriumPropagation": "catallax.networks.teaching.equilibrium",
        "FeedbackAlignment": "catallax.networks.teaching.feedback_alignment",
        "ForwardForward": "catallax.networks.teaching.forward_forward",
        "Hopfield": "catallax.networks.hopfield",
        "Layer": "catallax.networks.layers",
        "Lessons": "catallax.networks.problem",
        "LocalLosses": "catallax.networks.teaching.local_losses",
        "Objective": "catallax.networks.objectives",
        "PredictiveCoding": "catallax.networks.teaching.predictive_coding",
        "RandomTargets": "catallax.networks.teaching.random_targets",
        "Silence": "catallax.networks.teaching.silence",
        "SoftHebb": "catallax.networks.teaching.softhebb",
        "Recall": "catallax.networks.hopfield",
        "SparseCode": "catallax.networks.sparse.problem",
        "SparseCoder": "catallax.networks.sparse.coder",
        "TwoLayer": "catallax.networks.mean_field",
        "load": "catallax.networks.saved",
        "save": "catallax.networks.saved",
        "learnt": "catallax.networks.convert",
        "teach": "catallax.networks.convert",
        "train_apart": "catallax.networks.decoupled",
        "train": "catallax.networks.training",
    },
)
