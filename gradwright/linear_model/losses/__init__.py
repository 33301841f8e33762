"""Losses and penalties: what is minimised, as functions of one prediction and of the coefficients."""

from gradwright.linear_model.losses.gamma import Gamma
from gradwright.linear_model.losses.huber import Huber
from gradwright.linear_model.losses.logistic import Logistic
from gradwright.linear_model.losses.loss import LOSSES, Loss, Targets, named, register
from gradwright.linear_model.losses.nonsmooth import Absolute, Envelope, EpsilonInsensitive, Hinge, Nonsmooth
from gradwright.linear_model.losses.penalty import Penalty
from gradwright.linear_model.losses.poisson import Poisson
from gradwright.linear_model.losses.softmax import Softmax
from gradwright.linear_model.losses.squared import Squared
from gradwright.linear_model.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitive
from gradwright.linear_model.losses.squared_hinge import SquaredHinge
from gradwright.linear_model.losses.tweedie import Tweedie
