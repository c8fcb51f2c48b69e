#!/usr/bin/env bash
# Everything that needs a GPU, in one run on a CUDA machine: builds the CUDA variant, runs all tests, trains and samples on the GPU, and
# times training and sampling against PyTorch (appended to bench/results/*.jsonl).
#
#   LDLM_PYTHON=<python with CUDA torch and safetensors> bench/gpu.sh
#
# Needs an NVIDIA driver, nvcc 13, CMake, a C++20 compiler, GoogleTest and Node 20.19 or later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ldlm() { node dist/cli/main.js "$@"; }

npm ci --include=dev --no-audit --no-fund
npm run build
ldlm build --variant cuda --with-tests
ldlm doctor
ctest --test-dir build/native --output-on-failure
npx vitest run

# The whole way on the GPU, short: it must run, not be good.
ldlm stories --count 2000 --seed 1 --out "$work/stories.txt"
ldlm pretrain --input "$work/stories.txt" --words --packing pad --length 48 --steps 50 --out "$work/lm"
ldlm prepare --input "$work/stories.txt" --tokenizer "$work/lm" --length 48 --packing pad --out "$work/data"
for dtype in float32 bfloat16; do
  ldlm train --preset tiny --data "$work/data" --encoder "$work/lm" --out "$work/run-$dtype" \
    --set train.device=cuda --set train.dtype="$dtype" --set train.accumulate=1 --set train.steps=60 --set train.saveEvery=60
  ldlm sample --model "$work/run-$dtype" --count 4 --device cuda
done

for size in tiny small; do
  for dtype in float32 bfloat16; do
    node bench/train_step.mjs --size "$size" --device cuda --dtype "$dtype"
  done
  # Sampling computes in float32.
  node bench/sample.mjs --size "$size" --device cuda
  node bench/sample.mjs --size "$size" --device cuda --count 1
done
