// The public names of the package. What is not here is private. Importing this loads no native code.

export { LdlmError, type LdlmErrorCode } from './api/errors.js';
export { LDLM, type LoadOptions, type Reconstruction, type Sample, type SamplePreview, type SampleStats } from './api/ldlm.js';
export { type LmConfig, type LmProgress, type LmResult, lmDefaults, pretrainLm } from './api/lm_pretrainer.js';
export type { ParameterCounts } from './api/native_types.js';
export { PretrainedEncoder } from './api/pretrained_encoder.js';
export { type SampleOptions, type SamplerName, samplers } from './api/sample_options.js';
export { setThreads } from './api/threads.js';
export { JointTrainer, type TrainerOptions, type TrainMetrics } from './api/trainer.js';
export { applySet, jsonSchema, parseConfig } from './config/parse.js';
export { type PresetName, presetNames, presets } from './config/presets.js';
export type { LdlmConfig } from './config/types.js';
export { prepare, type PrepareOptions, type PrepareProgress } from './data/prepare.js';
export { openShards, type Shards } from './data/shards.js';
export { dataStatistics, type DataStatistics } from './data/statistics.js';
export { statisticsPage } from './data/statistics_page.js';
export { checkStory, type StoryCheck } from './data/stories/check.js';
export { generateStories, generateStory } from './data/stories/generate.js';
export { Tokenizer } from './data/tokenizer.js';
export { trainByteLevelBpe, trainWordLevel } from './data/tokenizer_training.js';
export { scoreDiversity } from './eval/diversity.js';
export { scoreEntropy } from './eval/entropy.js';
export { scoreGrammar } from './eval/grammar.js';
export { scoreMemorisation } from './eval/memorisation.js';
export { type ModelPart, type ModelSource, resolveModel, type ResolveOptions } from './hub/model_source.js';
