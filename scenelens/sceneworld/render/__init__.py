"""How a world becomes pixels, stage by stage.

`pipeline.render_world` runs the stages.  A picture has 227 x 227 pixels, each with 2 x 2 samples.

1. **Instances.**  A `World` is a table with one row per primitive (box, lathe ...): frame, mesh, material, pattern, colours.
   `pipeline` joins the meshes into flat arrays; `raster` computes where their vertices lie in space.
2. **Visibility.**  `raster` finds for each sample the nearest triangle (a depth buffer).  The same from the light's direction
   gives the shadow map.
3. **Openness.**  `nearness` estimates from the depth buffer how much of the sky each place sees: corners and gaps are darker.
4. **Blocks.**  `blocks` looks at squares of 2 x 2 pixels.  Most show a single surface: these are lit once, in the middle
   (`surfaces.light_on`; `sky` for the sky), since light changes slowly.
5. **Paint.**  `painting` interpolates the light between blocks and gives every pixel of such blocks its own paint: colour,
   `patterns`, and brush texture (`brushwork`, from `noise`).  It works along rows, many pixels at a time.
6. **Edges.**  `mixed` shades the remaining pixels, where surfaces meet, surface by surface, and averages the samples.
   That smooths the edges.
7. **Labels.**  `shading` (which runs 4 to 7) notes for every pixel the object, part and material that most samples show.
8. **Finish.**  `grade` draws an ink line where objects meet, adds the grain of paper, darkens the corners, and converts
   linear light to screen values.

`camera` and `lighting` describe the viewpoint and the light.  `noise` also explains how the kernels are compiled.

Nothing depends on time, threads or memory addresses: the same world, camera and light give the same bytes.
"""
