#!/usr/bin/env bash
# Everything that needs a GPU, in one run on a CUDA machine: builds the CUDA variant, runs all tests, trains and samples on the GPU, and
# times ops, training and sampling, against PyTorch too (appended to bench/results/*.jsonl).
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

# Speed, appended to bench/results.
ldlm bench train --preset owt --batch 32 --accumulate 1 --device cuda --dtype bfloat16 --out bench/results
# Three trainings share the memory of the GPU: fewer rows.
ldlm bench train --preset owt --batch 16 --accumulate 1 --device cuda --dtype bfloat16 --against pytorch --out bench/results
ldlm bench sample --preset owt --count 1 --device cuda --dtype bfloat16 --against pytorch pytorch-ar --out bench/results
ldlm bench sample --preset owt --count 64 --device cuda --dtype bfloat16 --against pytorch --out bench/results
# With blocking launches an op's time on the host is that on the GPU.
CUDA_LAUNCH_BLOCKING=1 ldlm bench train --preset owt --batch 32 --accumulate 1 --device cuda --dtype bfloat16 --profile
for preset in tiny base; do
  ldlm bench ops --preset "$preset" --device cuda --out bench/results
  for dtype in float32 bfloat16; do
    ldlm bench train --preset "$preset" --batch 32 --accumulate 1 --device cuda --dtype "$dtype" --out bench/results
    ldlm bench sample --preset "$preset" --count 64 --device cuda --dtype "$dtype" --out bench/results
  done
done
compute-sanitizer --tool memcheck --error-exitcode 1 build/native/ldlm_test --gtest_filter='Cuda.*'
# Where only kernels of ours run; cuDNN's and cuBLAS's are not ours to check.
compute-sanitizer --tool racecheck --error-exitcode 1 build/native/ldlm_test --gtest_filter='Cuda.RmsNorm*:Cuda.Adaln*:Cuda.GatedAdd*'
ldlm bench scale --task sample --preset base --over length --values 128 256 512 1024 2048 4096 --device cuda --out bench/results
