// Whether prepared data fits a configuration and the encoder that will read its ids.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LdlmConfig } from '../config/types.js';
import { ioError } from '../data/io_error.js';
import { hashOfRows } from '../data/manifest.js';
import type { Shards } from '../data/shards.js';
import { differentToken } from '../data/vocabulary.js';
import { LdlmError } from './errors.js';
import type { PretrainedEncoder } from './pretrained_encoder.js';

/** @throws LdlmError ERR_LDLM_CONFIG for rows of another length or packing, or ids of another tokenizer than the encoder's */
export async function checkData(data: Shards, config: LdlmConfig, encoder: PretrainedEncoder): Promise<void> {
  checkRows(data, config);
  if (data.vocabulary > encoder.shape.vocabulary) {
    throw new LdlmError(
      'ERR_LDLM_CONFIG',
      `the data must be made with the encoder's tokenizer: it has ${data.vocabulary} token ids, the encoder ${encoder.shape.vocabulary}`,
    );
  }
  await checkTokenizer(data, encoder);
}

/** @throws LdlmError ERR_LDLM_CONFIG for rows of another length or packing */
export function checkRows(data: Shards, config: { model: { maxLength: number; latents?: number }; data: Pick<LdlmConfig['data'], 'packing'> }): void {
  const { maxLength } = config.model;
  if (data.length !== maxLength) {
    throw new LdlmError('ERR_LDLM_CONFIG', `model.maxLength must be the length of the prepared data (${data.length}), got ${maxLength}. Set model.maxLength=${data.length}` +
      ('latents' in config.model ? ', and model.latents as well: fewer latents than tokens compress a text' : ''));
  }
  const { packing } = config.data;
  if (data.packing !== packing) {
    throw new LdlmError('ERR_LDLM_CONFIG', `data.packing must be that of the prepared data (${data.packing}), got ${packing}. Set data.packing=${data.packing}`);
  }
}

/**
 * Rows are drawn by number: others would be another training.
 * @throws LdlmError ERR_LDLM_CONFIG for other rows than those of the checkpoint
 */
export function checkSameRows(data: Pick<Shards, 'dir' | 'manifest'>, { dataSha256 }: { dataSha256?: string | undefined }): void {
  // Checkpoints of before there was a hash have none.
  if (dataSha256 === undefined || hashOfRows(data.manifest) === dataSha256) return;
  throw new LdlmError('ERR_LDLM_CONFIG', `the data must be those of the checkpoint to resume, got other rows in ${data.dir}. Name those, or choose another --out for a new run`);
}

/** Ids mean nothing to an encoder whose tokenizer gives them to other tokens. One that comes without a tokenizer.json is believed. */
async function checkTokenizer({ dir }: Shards, { folder, source }: PretrainedEncoder): Promise<void> {
  const [path, encoderPath] = [join(dir, 'tokenizer.json'), join(folder, 'tokenizer.json')];
  const encoders = await readFile(encoderPath).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : ioError(encoderPath, 'a readable file')(error)));
  if (encoders === null) return;
  const different = differentToken(await readFile(path).catch(ioError(path, 'a readable file')), encoders);
  if (different === null) return;
  const { token, id, otherId } = different;
  throw new LdlmError(
    'ERR_LDLM_CONFIG',
    `the data must be made with the encoder's tokenizer, got another: '${token}' is ${id} in ${path} and ${otherId ?? 'no token'} in ${encoderPath}. ` +
      `Prepare the data with --tokenizer ${source}`,
  );
}
