"""Rows of X, wherever they lie: what users pass, checked; passes over it; and the kernels that make them."""

from gradwright.linear_model.data.data import Data
from gradwright.linear_model.data.row_blocks import block_size, blocks
from gradwright.linear_model.data.row_loss import RowLoss
