// The shape of a pretrained encoder: what its config.json says about the sizes, without touching its weights. A small table
// knows the encoders that the presets name, so that `ldlm info --preset` works before anything was downloaded.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { families, huggingFaceConfig } from './hugging_face.js';
import { plain } from './encoder_families.js';
import { describeIssue } from './issues.js';

/** How a Llama was taught longer texts than its first ones: the slow frequencies of the rotary embedding are divided by `factor`, the fast ones kept. */
export interface RotaryScaling {
  factor: number;
  /** A frequency of fewer full turns than this within the original positions is slow. */
  lowFrequencyFactor: number;
  /** One of more than this is fast. In between the two are mixed. */
  highFrequencyFactor: number;
  /** 0 if every frequency is slow. */
  originalPositions: number;
}

/** Sizes of a frozen pretrained language model. */
export interface EncoderShape {
  family: 'gpt2' | 'bert' | 'roberta' | 'distilbert' | 'mpnet' | 't5' | 'llama';
  /** Transformer blocks; hidden_states has one entry more (the embeddings come first). */
  layers: number;
  /** H */
  hiddenWidth: number;
  heads: number;
  /** V: rows of the embedding table. */
  vocabulary: number;
  /** Longest sequence it takes. */
  positions: number;
  feedForwardWidth: number;
  /** Segment embeddings (BERT, RoBERTa). Like the rest below, 0 or false for a family without them. */
  tokenTypes: number;
  normEpsilon: number;
  activation: 'gelu' | 'gelu_new' | 'relu' | 'silu';
  /** The padding token of RoBERTa and MPNet, behind which their positions begin. */
  paddingId: number;
  /** Heads of keys and values, which several query heads may share (Llama). */
  keyValueHeads: number;
  headWidth: number;
  /** Learned biases of the attention by distance (T5, MPNet), and the distance of the last one. */
  relativeBuckets: number;
  relativeDistance: number;
  /** Base of the rotary embedding (Llama). */
  rotaryBase: number;
  rotaryScaling: RotaryScaling | null;
  /** Feed-forward with a gate (T5 1.1). */
  gatedFeedForward: boolean;
  /** Qwen2. */
  queryKeyValueBias: boolean;
  /** Qwen3. */
  queryKeyNorm: boolean;
}

const gpt2 = { family: 'gpt2', normEpsilon: 1e-5, activation: 'gelu_new' } as const;
const bert = { family: 'bert', tokenTypes: 2, normEpsilon: 1e-12, activation: 'gelu' } as const;

const wellKnown: Readonly<Record<string, EncoderShape>> = {
  gpt2: { ...plain(768, 12), ...gpt2, layers: 12, hiddenWidth: 768, heads: 12, vocabulary: 50257, positions: 1024, feedForwardWidth: 3072 },
  'google-bert/bert-base-uncased': { ...plain(768, 12), ...bert, layers: 12, hiddenWidth: 768, heads: 12, vocabulary: 30522, positions: 512, feedForwardWidth: 3072 },
  'sentence-transformers/all-MiniLM-L6-v2': { ...plain(384, 12), ...bert, layers: 6, hiddenWidth: 384, heads: 12, vocabulary: 30522, positions: 512, feedForwardWidth: 1536 },
  // The demo's own language model, pretrained on its stories.
  'stories-lm': { ...plain(128, 4), ...gpt2, layers: 6, hiddenWidth: 128, heads: 4, vocabulary: 298, positions: 48, feedForwardWidth: 512 },
};

/**
 * The shape of `source`: a Hugging Face folder if there is one, else a well-known name.
 * @throws LdlmError ERR_LDLM_CONFIG if it is neither
 */
export async function resolveEncoder(source: string): Promise<EncoderShape> {
  const isFolder = await stat(source).then((entry) => entry.isDirectory(), () => false);
  if (isFolder) return readEncoderShape(source);
  if (Object.hasOwn(wellKnown, source)) return wellKnown[source]!;
  throw new LdlmError(
    'ERR_LDLM_CONFIG',
    `encoder.source must be a Hugging Face layout folder (config.json, model.safetensors, tokenizer.json) or one of ` +
      `${Object.keys(wellKnown).join(', ')}, got '${source}', which is no folder here`,
  );
}

/**
 * Reads `dir`/config.json.
 * @throws LdlmError ERR_LDLM_IO if it cannot be read, ERR_LDLM_CONFIG if it is no encoder of a known family, or one with an option that
 *   the native networks do not have
 */
export async function readEncoderShape(dir: string): Promise<EncoderShape> {
  const file = join(dir, 'config.json');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new LdlmError('ERR_LDLM_IO', `${file} must be a readable file of a Hugging Face layout folder: ${String(cause)}`, { cause });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_CONFIG', `${file} must hold JSON: ${String(cause)}`, { cause });
  }
  const result = huggingFaceConfig.safeParse(json, { reportInput: true });
  if (result.success) return result.data;
  const problems = [...new Set(result.error.issues.flatMap(describeIssue))];
  throw new LdlmError('ERR_LDLM_CONFIG', `${file} must describe a ${families.join(', ')} that can be computed here: ${problems.join('; ')}`);
}

/**
 * The index into hidden_states (0..layers) that `layer` means; negative values count from the end.
 * @throws LdlmError ERR_LDLM_CONFIG if the encoder has no such layer
 */
export function hiddenStateIndex(layer: number, shape: EncoderShape): number {
  const index = layer < 0 ? shape.layers + 1 + layer : layer;
  if (index >= 0 && index <= shape.layers) return index;
  throw new LdlmError(
    'ERR_LDLM_CONFIG',
    `encoder.layer must be in ${-shape.layers - 1}..${shape.layers} for an encoder of ${shape.layers} layers, got ${layer}`,
  );
}
