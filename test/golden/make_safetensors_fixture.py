"""Makes types.safetensors with Python's safetensors: one tensor of every dtype that the native reader knows, an empty one and
metadata. test/native/safetensors_test.cpp expects exactly these values.

    python make_safetensors_fixture.py                 writes the fixture; needs torch, safetensors
    python make_safetensors_fixture.py --check FILE    compares a file written by the native writer with the fixture
"""

import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

FIXTURE = Path(__file__).parent / "types.safetensors"
METADATA = {"made by": 'Python "safetensors"', "ünïcode": "日本\n"}
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
INTEGERS = {"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8}


def tensors():
    values = {name: torch.arange(6).reshape(2, 3).to(dtype) * 0.5 - 1 for name, dtype in FLOATS.items()}
    values |= {name: torch.arange(6).reshape(2, 3).to(dtype) - 3 for name, dtype in INTEGERS.items()}
    values["U8"] = torch.arange(250, 256, dtype=torch.uint8).reshape(2, 3)
    values["BOOL"] = torch.tensor([[True, False, True], [False, False, True]])
    values["scalar"] = torch.tensor(2.5)
    values["empty"] = torch.zeros(0, 4)
    return values


def check(path):
    found, expected = load_file(path), tensors()
    assert found.keys() == expected.keys(), found.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
    with safe_open(path, "pt") as file:
        assert file.metadata() == METADATA, file.metadata()
    print(f"{path}: equal to the fixture")


if sys.argv[1:2] == ["--check"]:
    check(sys.argv[2])
else:
    save_file(tensors(), FIXTURE, metadata=METADATA)
    check(FIXTURE)
