// Sampling `--count` sequences at once with `--steps` evaluations, from noise to token ids on the host: native against PyTorch.
import { compare } from './compare.mjs';

await compare('sample');
