from . import figures
from .verdicts import Verdicts, judge_claims

__all__ = [
    "Verdicts",
    "figures",
    "judge_claims",
]
