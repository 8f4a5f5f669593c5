from .units import UnitAnalysis

__all__ = ["UnitAnalysis"]
