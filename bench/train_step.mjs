// One optimiser step of joint training, from token ids: native against PyTorch. `node bench/train_step.mjs --size small`
import { compare } from './compare.mjs';

await compare('train_step');
