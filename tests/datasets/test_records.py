"""Shapes in few bytes are the same shapes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from datasets_app.records import ImageRecord, Reading, Shape, Shapes

numbers = st.floats(allow_nan=False, allow_infinity=False)
shapes = st.builds(
    Shape,
    st.text(max_size=3),
    st.sampled_from(["rectangle", "polygon"]),
    st.lists(st.tuples(numbers, numbers), max_size=5).map(tuple),
    st.none() | st.floats(0, 1),
    st.booleans(),
    st.booleans(),
    st.none() | st.booleans(),
)


@given(st.lists(shapes, max_size=6))
def test_what_goes_in_comes_out(given):
    packed = Shapes(given)
    assert list(packed) == given
    assert len(packed) == len(given)
    assert packed == tuple(given)
    assert packed[:2] == tuple(given[:2])
    assert packed == Shapes(packed)
    assert [one.label for one in packed.traits] == [one.label for one in given]
    if given:
        assert packed[-1] == given[-1]
        assert packed != Shapes(given[1:])


def test_a_record_tells_what_its_shapes_are_however_they_are_kept():
    crack = Shape("crack", "rectangle", ((1, 2), (3, 4)), verdict=True)
    for kept in ((crack,), Shapes([crack])):
        record = ImageRecord("a.png", shapes=kept)
        assert [(one.label, one.kind, one.verdict) for one in record.traits] == [("crack", "rectangle", True)]
        assert Reading("coco", (record,), ("crack",)).is_judged
