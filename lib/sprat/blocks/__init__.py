"""Blocks: what a value *is*, apart from how it is stored.

A block checks values, makes mock values for tests, shows a value, and is the type that everything
else dispatches on: which loss fits a target, which head a model needs. All of them speak of
batches, whose first axis counts the samples. The idea of describing a task by the blocks of its
input and target is FastAI.jl's (https://github.com/FluxML/FastAI.jl).

One file a family: pictures, categories, numbers, texts, table rows, graphs, and several at once.
"""

from sprat.blocks.base import Block, check_finite, check_tensor, numbers_in_words
from sprat.blocks.categories import Categories, Label, Labels, Mask, OneHotLabel
from sprat.blocks.graph import Graph
from sprat.blocks.images import Image, ImageTensor, Keypoints
from sprat.blocks.numbers import Continuous, Trajectory
from sprat.blocks.several import Several
from sprat.blocks.table import TableRow
from sprat.blocks.text import Text, Tokens

__all__ = [
    "Block",
    "Categories",
    "Continuous",
    "Graph",
    "Image",
    "ImageTensor",
    "Keypoints",
    "Label",
    "Labels",
    "Mask",
    "OneHotLabel",
    "Several",
    "TableRow",
    "Text",
    "Tokens",
    "Trajectory",
    "check_finite",
    "check_tensor",
    "numbers_in_words",
]
