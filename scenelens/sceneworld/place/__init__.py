"""sceneworld/place."""
