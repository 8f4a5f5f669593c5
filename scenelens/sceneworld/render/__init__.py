"""sceneworld/render."""
