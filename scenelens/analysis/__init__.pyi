from .units import UnitAnalysis
from .widget import explore

__all__ = ["UnitAnalysis", "explore"]
