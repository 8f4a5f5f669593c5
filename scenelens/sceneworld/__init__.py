"""SceneWorld: a world of scenes made of objects, drawn by the page, with every pixel's truth known."""
