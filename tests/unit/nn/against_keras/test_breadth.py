"""The table of what is here of Keras and TensorFlow.js is that of the packages and the engine."""

from tools import breadth


def test_the_table_of_counts_is_true():
    assert breadth.TARGET.read_text() == breadth.document(), "run: python -m tools.breadth"


def test_all_layers_of_tensorflow_js_are_counted_and_none_is_missing():
    rows = {row.kind: row for row in breadth.of_tfjs()}
    assert len(rows["layers"].names) > 60
    assert not rows["layers"].missing
    assert {row.kind for row in rows.values() if not row.names} == set()
