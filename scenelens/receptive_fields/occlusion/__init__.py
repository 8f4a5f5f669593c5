"""receptive_fields/occlusion."""
