"""Where the objects of a scene go: from a list of names to a world with everything in its place.

1. `stages.build_stage` draws the background, the camera and the light from a setting (indoor or outdoor) and a seed.
   It does not know the category.
2. `placing.place_all` chooses a look for every name and sorts the things: what characterises the scene first, big things
   before small ones, and what stands on other things last.
3. `layout.Layout` holds the places that are taken.  Its method `place` turns one thing and one way to place it (against a
   wall, on a table, on the ground ...) into records of numbers.
4. `tries.try_places` is the kernel that searches.  It draws a place (`indoors`, `outdoors`), checks it (`fits`), and
   repeats this until a place fits or the tries are used up.
5. Things without a place are tried again in less strict rounds: closer to others and a little smaller.  What is left
   then is listed in `Layout.left_out`.

A place fits if the thing overlaps no other on the ground (`spots.overlap`), lies in the frame, is not too large in the
picture, and neither is hidden too much nor hides another thing too much.  The random numbers come from one
`random.Random`; `draws` makes its sequence available to kernels, number for number.
"""
