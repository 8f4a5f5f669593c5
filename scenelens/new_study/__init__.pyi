from .command import begin_study

__all__ = ["begin_study"]
