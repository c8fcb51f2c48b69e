"""Writes test/golden/tensorboard.tfevents with TensorBoard's own messages and record writer: what src/watch must write for the same values.

Needs: pip install tensorboard (2.21). Run from the repository: python test/golden/make_tensorboard_fixture.py
"""

import pathlib

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

Value = summary_pb2.Summary.Value


def text(tag, texts):
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=len(texts))])
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=[t.encode() for t in texts])
    metadata = summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"))
    return Value(tag=tag, tensor=tensor, metadata=metadata)


def histogram(tag, start, ends, heights):
    middles = [(end + before) / 2 for before, end in zip([start] + ends, ends)]
    moment = lambda power: sum(height * middle**power for height, middle in zip(heights, middles))
    histo = summary_pb2.HistogramProto(
        min=start, max=ends[-1], num=moment(0), sum=moment(1), sum_squares=moment(2), bucket_limit=ends, bucket=heights)
    return Value(tag=tag, histo=histo)


events = [
    event_pb2.Event(wall_time=1700000000.5, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1700000001, step=21, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
    event_pb2.Event(wall_time=1700000002.25, step=5_000_000_000, summary=summary_pb2.Summary(value=[
        Value(tag="loss/diffusion", simple_value=0.1),
        Value(tag="loss/token", simple_value=0.0),
        histogram("timesteps/density", 0.0, [0.25, 0.5, 1.0], [0.5, 0.0, 1.5]),
        text("samples", ["Größe 日本 \U0001f600", "x" * 300]),
    ])),
]
path = pathlib.Path(__file__).parent / "tensorboard.tfevents"
with open(path, "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString(deterministic=True))
