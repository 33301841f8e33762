"""Contracts: what state, parts and chains are. No algorithm and no device code."""

from gradwright.core.chain import Chain, chain
from gradwright.core.context import Context, Total
from gradwright.core.part import Part
from gradwright.core.slot import HostScalar, Slot
from gradwright.core.spec import ParamSpec
from gradwright.core.transform import Nest, Transform

__all__ = ["Chain", "Context", "HostScalar", "Nest", "ParamSpec", "Part", "Slot", "Total", "Transform", "chain"]
