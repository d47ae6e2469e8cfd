"""What property tests of the draws draw from."""

from hypothesis import strategies as st

from fanin.draws import Normal, TruncatedNormal, Uniform

seeds = st.integers(0, 2**64 - 1)
names = st.text(max_size=30)
shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple)
scales = st.floats(2**-20, 2**20, width=32)
offsets = st.sampled_from([0.0, 0.3, -7.0])

laws = st.one_of(
    st.builds(Normal, offsets, scales),
    st.builds(TruncatedNormal, offsets, scales, st.floats(0.25, 5)),
    st.builds(lambda centre, half: Uniform(centre - half, centre + half), offsets, scales),
)


@st.composite
def shapes_and_regions(draw):
    """A shape and one slice for some of its axes."""
    shape = draw(shapes)
    axes = draw(st.integers(0, len(shape)))
    bound = st.none() | st.integers(-10, 10)
    steps = st.none() | st.integers(1, 3)
    region = tuple(draw(st.builds(slice, bound, bound, steps)) for _ in range(axes))
    return shape, region
