"""Prints what TensorBoard's server reads from a folder of event files, as JSON: {plugin: {tag: [[step, value]]}}, plugin: scalars, histograms, text."""

import json
import sys

from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

accumulator = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0})
accumulator.Reload()
decode = lambda value: [decode(v) for v in value] if isinstance(value, list) else value.decode() if isinstance(value, bytes) else value
read = {}
for tag in accumulator.Tags()["tensors"]:
    plugin = accumulator.SummaryMetadata(tag).plugin_data.plugin_name
    values = [[event.step, decode(tensor_util.make_ndarray(event.tensor_proto).tolist())] for event in accumulator.Tensors(tag)]
    read.setdefault(plugin, {})[tag] = values
print(json.dumps(read))
