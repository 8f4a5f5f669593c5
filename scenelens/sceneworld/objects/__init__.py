"""The object classes."""

from scenelens.sceneworld.objects import samples  # noqa: F401
