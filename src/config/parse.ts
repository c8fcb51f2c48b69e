// The only place that turns `unknown` (a config file, a checkpoint's config.json, a --set on the command line) into a typed,
// complete configuration. All problems are reported at once, each as "path must be what, got what".

import { z } from 'zod';
import { LdlmError } from '../api/errors.js';
import { crossFieldProblems } from './constraints.js';
import { describeIssue, unknownKey } from './issues.js';
import { configShape, type LdlmConfig } from './types.js';

/**
 * A complete, checked configuration.
 * @throws LdlmError ERR_LDLM_CONFIG naming every unknown, missing or illegal key
 * @example const config = parseConfig(JSON.parse(await readFile('config.json', 'utf8')));
 */
export function parseConfig(input: unknown): LdlmConfig {
  const config = parseWith(configShape, input);
  const problems = crossFieldProblems(config);
  if (problems.length > 0) throw configError(problems);
  return config;
}

/**
 * A copy of `config` with assignments of the form `train.lr=3e-4` applied in order and then checked as a whole. The value is read as JSON
 * (a number, true, null, a whole object), else taken as text.
 * @throws LdlmError ERR_LDLM_CONFIG for an unknown path or an illegal result
 * @example applySet(presets.tiny(), 'train.lr=3e-4', 'recipe.encoderWarmup=null')
 */
export function applySet(config: LdlmConfig, ...assignments: string[]): LdlmConfig {
  return parseConfig(assigned(config, assignments));
}

/** A copy of any configuration with the assignments applied, not yet checked; only keys that are there can be set. */
export function assigned(config: object, assignments: readonly string[]): unknown {
  const edited: unknown = structuredClone(config);
  for (const assignment of assignments) assign(edited, assignment);
  return edited;
}

/** What `schema` makes of `input`: all problems in one error. */
export function parseWith<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input, { reportInput: true });
  if (!result.success) throw configError([...new Set(result.error.issues.flatMap(describeIssue))]);
  return result.data;
}

/** The JSON Schema (draft 2020-12) of a configuration file, for editors. Rules across fields are not part of it. */
export function jsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configShape) as Record<string, unknown>;
}

function assign(root: unknown, assignment: string): void {
  const split = assignment.indexOf('=');
  if (split < 1) throw configError([`--set must be PATH=VALUE, such as train.lr=3e-4, got '${assignment}'`]);
  const path = assignment.slice(0, split).trim();
  const keys = path.split('.');
  let owner = root;
  for (const [depth, key] of keys.entries()) {
    if (typeof owner !== 'object' || owner === null) {
      const outer = keys.slice(0, depth).join('.');
      throw configError([`${outer} must be an object before ${path} can be set, got ${String(owner)}; set it whole: ${outer}=...`]);
    }
    if (!Object.hasOwn(owner, key)) throw configError([unknownKey(path)]);
    const fields = owner as Record<string, unknown>;
    if (depth === keys.length - 1) fields[key] = parseValue(assignment.slice(split + 1));
    else owner = fields[key];
  }
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // not JSON: plain text, so that names and paths need no quotes
  }
}

function configError(problems: string[]): LdlmError {
  const [first, ...rest] = problems;
  const message = rest.length === 0 ? `${first}` : `the configuration has ${problems.length} problems:\n  ${problems.join('\n  ')}`;
  return new LdlmError('ERR_LDLM_CONFIG', message);
}
