from scenelens import paper


def test_table_1_is_the_paper_s():
    layers, units, maps = zip(*paper.TABLE_1, strict=True)
    assert list(layers) == [
        "conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5", "fc6", "fc7",
    ]  # fmt: skip
    assert list(units) == [96, 96, 256, 256, 384, 384, 256, 256, 4096, 4096]
    assert [rows for rows, _ in maps] == [55, 27, 27, 13, 13, 13, 13, 6, 1, 1]


def test_the_papers_maps_follow_from_its_geometry():
    """Second source: kernel, stride and padding at 227 px give the same sides."""
    side, sides = 227, []
    for kernel, stride, pad in [
        (11, 4, 0), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0),
    ]:  # fmt: skip
        side = (side + 2 * pad - kernel) // stride + 1
        sides.append((side, side))
    assert [size for _, _, size in paper.TABLE_1][:8] == sides


def test_the_object_network_prefers_objects_more_at_both_layers():
    for layer in ("pool2", "fc7"):
        assert paper.PREFERENCE["object", layer] > paper.PREFERENCE["scene", layer]
