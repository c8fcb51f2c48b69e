// `ldlm frontier`: samples models over steps, eta, temperature and grid, and shows quality against entropy: a table on stdout, OUT/frontier.json,
// OUT/frontier.svg. Every finished point is on the disk at once; the same command computes only what is missing.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { openCheckpoint } from '../api/run_folder.js';
import { defaultSampler, grids, hasEta, type ResolvedGrid, resolveSampleOptions, type SamplerName, samplers } from '../api/sample_options.js';
import { writeFileAtomic } from '../data/atomic.js';
import { applicableProtocols, holdsStories } from '../eval/applicable.js';
import { checkRequest, type ProtocolName, protocolNames } from '../eval/protocols.js';
import { checkComparable, frontier, type FrontierPoint, type FrontierProgress, samplingOf, settingsOf, type Sweep } from '../study/frontier.js';
import { frontierPicture } from '../study/frontier_picture.js';
import { frontierTable, place, qualityOf } from '../study/frontier_summary.js';
import { published, type PublishedName, publishedNames } from '../study/published.js';
import { interruptible } from './interrupt.js';
import { addJudgeFlags, type JudgeFlags, loadScorer, referenceTexts } from './judge_flags.js';
import { checkUsage, deviceOption, realNumber, threadsOption, wholeNumber } from './option_types.js';
import { createProgress, type Progress } from './progress.js';

interface Flags extends JudgeFlags {
  steps: number[];
  eta?: number[];
  temperature: number[];
  grid?: ResolvedGrid[];
  sampler: SamplerName;
  count: number;
  seed: number;
  batch: number;
  perplexity: ProtocolName;
  published?: PublishedName;
  out: string;
  json: boolean;
  device: 'auto' | 'cpu' | 'cuda';
  raw: boolean;
}

const examples = `
Without --scorer, quality is the validity of sentences where a model was trained on stories, else how many 4-grams are distinct.
MAUVE stands beside it where there are a scorer, as many references as texts, and 100 texts or more.

Examples:
  ldlm frontier runs/tiny --steps 8 16 32 64 --eta 0 0.5 1 --out frontier/tiny
  ldlm frontier runs/a runs/b --scorer lm --reference held-out.txt --count 500 --out frontier/both
  ldlm frontier runs/tiny --steps 8 16 32 --eta 1 --grid learned uniform --out frontier/grids
  ldlm frontier runs/owt --scorer gpt2-large --count 1000 --temperature 0.9 1 --published owt --out frontier/owt`;

/** The command `ldlm frontier`. */
export function frontierCommand(): Command {
  const sampling = new Command('frontier')
    .description('quality against entropy over steps, eta, temperature and grid')
    .argument('<models...>', 'run, checkpoint or export folders')
    .option('--steps <n...>', 'evaluations of the denoiser', several(wholeNumber(1)), [8, 16, 32, 64])
    .option('--eta <x...>', 'share of fresh noise, 0..1 (default: 0 0.5 1; heun and sde have none)', several(realNumber))
    .option('--temperature <x...>', 'deviation of the noise, initial and fresh, > 0', several(realNumber), [1])
    .addOption(new Option('--grid <name...>', 'schedule times: even under the learned warp, or even in u (default: uniform for a model with stagger, else learned)').choices(grids.filter((name) => name !== 'auto')))
    .addOption(new Option('--sampler <name>', 'integrator; models with stagger take ddpm or ddim').choices([...samplers]).default(defaultSampler))
    .option('--count <n>', 'texts of a point', wholeNumber(1), 256)
    .option('--seed <n>', 'seed of all noise, the same for every point', wholeNumber(0), 0)
    .option('--batch <n>', 'texts at once; changes speed, not texts', wholeNumber(1), 32);
  return addJudgeFlags(sampling)
    .addOption(new Option('--perplexity <protocol>', 'which gen-PPL').choices(protocolNames.filter((name) => name.startsWith('genppl/'))).default('genppl/mdlm-v1'))
    .addOption(new Option('--published <corpus>', 'overlay published figures (second-hand)').choices(publishedNames))
    .requiredOption('--out <dir>', 'folder for the points, frontier.json and frontier.svg')
    .option('--json', 'print frontier.json instead of a table', false)
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option('--raw', 'the weights of the last step instead of their average', false)
    .addHelpText('after', examples)
    .action((models: string[], flags: Flags, command: Command) =>
      interruptible('Stopping after the current step; finished points are kept.', (signal) => run([...new Set(models)], flags, command, signal)));
}

async function run(models: string[], flags: Flags, command: Command, signal: AbortSignal): Promise<void> {
  const { count, seed, out } = flags;
  if (flags.published && !flags.scorer) command.error('error: --published must have --scorer, since published figures are gen-PPL, got none');
  const sweep: Sweep = { sampler: flags.sampler, steps: flags.steps, etas: flags.eta ?? (hasEta(flags.sampler) ? [0, 0.5, 1] : []), temperatures: flags.temperature, grids: flags.grid ?? [] };
  for (const setting of settingsOf(sweep)) checkUsage(command, () => resolveSampleOptions(samplingOf(setting, { count, seed })));
  await checkComparable(models, flags.sampler);
  const reference = (await referenceTexts(flags, count)) ?? [];
  const protocols = await protocolsFor(models, flags, reference.length);
  checkUsage(command, () => checkRequest({ protocols, count, scorer: flags.scorer !== undefined, references: reference.length }));
  process.stderr.write(`protocols: ${protocols.join(', ')}\n`);
  await mkdir(out, { recursive: true });
  await using scorer = await loadScorer(flags, flags.device, signal);
  const progress = progressOfPoints();
  const points = await frontier({
    ...sweep, models, out, count, seed, protocols, reference, signal,
    batch: flags.batch,
    device: flags.device,
    weights: flags.raw ? 'raw' : 'ema',
    ...(scorer ? { scorer } : {}),
    onProgress: progress.update,
  }).finally(progress.stop);
  const json = JSON.stringify(summary(points, flags), null, 2) + '\n';
  await writeFileAtomic(join(out, 'frontier.json'), json);
  await writeFileAtomic(join(out, 'frontier.svg'), pictureOf(points, flags));
  process.stdout.write(flags.json ? json : frontierTable(points));
  process.stderr.write(`written: ${join(out, 'frontier.json')}, ${join(out, 'frontier.svg')}\n`);
}

/** What can be measured and costs little beside sampling. */
async function protocolsFor(models: readonly string[], { count, scorer, perplexity }: Flags, references: number): Promise<ProtocolName[]> {
  const stories = (await Promise.all(models.map(async (model) => holdsStories((await openCheckpoint(model)).config.data.path)))).every(Boolean);
  return applicableProtocols({ stories, references, scorer: scorer !== undefined, count })
    .filter((name) => name !== 'memorisation/v1' && name !== 'reconstruction/v1')
    .map((name) => (name === 'genppl/mdlm-v1' ? perplexity : name));
}

function summary(points: readonly FrontierPoint[], flags: Flags): object {
  const front = new Set(place(points).filter(({ onFront }) => onFront).map(({ point }) => point));
  const quality = qualityOf(points);
  return {
    quality: quality && { measure: quality.measure.name, better: quality.better },
    points: points.map((point) => ({ ...point, onFront: front.has(point) })),
    ...(flags.published ? { published: published[flags.published] } : {}),
  };
}

function pictureOf(points: readonly FrontierPoint[], { published: corpus, scorer, perplexity, count }: Flags): string {
  const entropy = points[0]?.results.find(({ protocol }) => protocol === 'entropy/model-tokens-nats')?.['reference'];
  return frontierPicture(points, {
    title: `Quality and diversity, ${count} texts a point`,
    by: scorer === undefined ? '' : ` (${perplexity}, ${scorer})`,
    ...(corpus ? { published: published[corpus] } : {}),
    ...(typeof entropy === 'number' ? { dataEntropy: entropy } : {}),
  });
}

function progressOfPoints(): { update: (progress: FrontierProgress) => void; stop: () => void } {
  let shown: Progress | undefined;
  return {
    update({ model, setting, stage, evaluationsDone, evaluations }) {
      shown ??= createProgress({ total: evaluations, unit: 'evaluations', label: 'frontier', start: evaluationsDone, speedOverSeconds: Infinity });
      const { steps, eta, grid } = setting;
      shown.update(evaluationsDone, { model, steps, ...(eta === null ? {} : { eta }), ...(grid === null ? {} : { grid }), now: stage });
    },
    stop: () => shown?.stop(),
  };
}

/** A list of values, each read by `one`. */
function several<Value>(one: (text: string) => Value): (text: string, gathered: Value[] | undefined) => Value[] {
  let first = true; // the first value given takes the place of the default
  return (text, gathered) => {
    const values = first ? [one(text)] : [...(gathered ?? []), one(text)];
    first = false;
    return values;
  };
}
